/** Fetches the report. */
export function tryOut(place, url) {
  place.innerHTML = `
    <div class="row"><button type="button">Make the report</button><span class="note"></span></div>
    <output aria-label="Report"></output>`
  const [button, note, output] = place.querySelectorAll('button, .note, output')
  button.addEventListener('click', async () => {
    const started = performance.now()
    const response = await fetch(url)
    output.value = await response.text()
    note.textContent = `${response.status} in ${(performance.now() - started).toFixed(0)} ms`
  })
}
