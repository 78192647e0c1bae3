/** Shows how to clone, and what was pushed. */
export function tryOut(place, url) {
  const clone = `git clone ${url}/playground.git`
  place.innerHTML = `
    <div class="row"><button type="button">Show what was pushed</button><span class="note"></span></div>
    <output aria-label="Answer"></output>`
  const [button, note, output] = place.querySelectorAll('button, .note, output')
  note.textContent = clone
  button.addEventListener('click', async () => {
    const response = await fetch(url)
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    output.value = [...page.querySelectorAll('pre')].at(-1)?.textContent ?? ''
  })
}
