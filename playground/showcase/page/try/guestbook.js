/** Signs the book by its own form, which is an HTML page with a token in it, and shows what the page says then. */
export function tryOut(place, url) {
  place.innerHTML = `
    <form class="row"><input name="text" aria-label="Message" value="Hello from the showcase" maxlength="200" required><button>Sign the book</button></form>
    <output aria-label="What the book says"></output>
    <span class="note">More on <a href="${url}/">its pages</a>.</span>`
  const [form, output] = place.querySelectorAll('form, output')
  const page = async (response) => new DOMParser().parseFromString(await response.text(), 'text/html')
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    try {
      const csrf = (await page(await fetch(`${url}/sign`))).querySelector('[name=csrf]').value
      const body = new URLSearchParams({ csrf, name: 'A visitor', message: form.elements.text.value })
      const response = await fetch(`${url}/sign`, { method: 'POST', body })
      const signed = await page(response)
      output.value = [...signed.querySelectorAll('[role=status], .message, .trouble')].map((each) => each.textContent).join('\n')
    } catch (error) {
      output.value = `That failed: ${error.message}`
    }
  })
}
