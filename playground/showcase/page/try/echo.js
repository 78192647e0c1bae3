/** Sends what is typed, at each key, and shows what comes back as it comes. */
export function tryOut(place, url) {
  place.innerHTML = `
    <textarea rows="2" aria-label="What to send" placeholder="Type here"></textarea>
    <output aria-label="What came back"></output>
    <span class="note">Each key sends the whole text again.</span>`
  const [textarea, output, note] = place.querySelectorAll('textarea, output, .note')
  let last = new AbortController()
  textarea.addEventListener('input', async () => {
    last.abort()
    const { signal } = last = new AbortController()
    try {
      const response = await fetch(url, { method: 'POST', body: textarea.value, signal })
      let text = ''
      let bytes = 0
      const decoder = new TextDecoder()
      const reader = response.body.getReader()
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        bytes += part.value.length
        text += decoder.decode(part.value, { stream: true })
        output.value = text
        note.textContent = `${bytes} bytes came back`
      }
      output.value = text
    } catch (error) {
      if (!signal.aborted) note.textContent = error.message
    }
  })
}
