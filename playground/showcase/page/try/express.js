/** Sends JSON to the framework's application and shows what it answers. */
export function tryOut(place, url) {
  place.innerHTML = `
    <form class="row"><input name="text" aria-label="Message" value="Hello" required><button>Send as JSON</button></form>
    <output aria-label="Answer"></output>`
  const [form, output] = place.querySelectorAll('form, output')
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const body = JSON.stringify({ text: form.elements.text.value })
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    output.value = `${response.status} ${await response.text()}`
  })
}
