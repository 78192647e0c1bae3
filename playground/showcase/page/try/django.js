/** Shows what the site says; the first time it has to start. */
export function tryOut(place, url) {
  place.innerHTML = `
    <div class="row"><button type="button">Ask Django</button><span class="note">Its admin: <a href="${url}/admin/">${url}/admin/</a></span></div>
    <output aria-label="Answer"></output>`
  const [button, output] = place.querySelectorAll('button, output')
  button.addEventListener('click', async () => {
    output.value = 'It starts …'
    const response = await fetch(`${url}/`)
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    output.value = `${response.status} ${page.title}`
  })
}
