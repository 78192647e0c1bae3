/** Sends a file and shows how far it is. */
export function tryOut(place, url) {
  place.innerHTML = `
    <form class="row"><input type="file" name="file" aria-label="File to upload" required><button>Upload</button></form>
    <progress value="0" max="1" aria-label="Uploaded"></progress>
    <output aria-label="Answer"></output>`
  const [form, bar, output] = place.querySelectorAll('form, progress, output')
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    output.value = ''
    // Not fetch: only XMLHttpRequest tells how much of a body has gone out.
    const request = new XMLHttpRequest()
    request.upload.addEventListener('progress', ({ loaded, total }) => { bar.value = loaded / total })
    request.addEventListener('error', () => { output.value = 'The connection broke.' })
    request.addEventListener('load', () => {
      if (request.status !== 200) return output.value = request.responseText
      const { size, sha256 } = JSON.parse(request.responseText)
      bar.value = 1
      output.value = `${size.toLocaleString()} bytes\nSHA-256 ${sha256}`
    })
    request.open('POST', url)
    request.send(form.elements.file.files[0])
  })
}
