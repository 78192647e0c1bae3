/** Sends messages, one or a thousand, and shows what comes back and how fast. */
export function tryOut(place, url) {
  place.innerHTML = `
    <form class="row"><input name="text" aria-label="Message" value="Hello, echo"><button>Send</button></form>
    <output aria-label="What came back"></output>
    <div class="row"><button type="button">Send 1,000 at once</button><span class="note"></span></div>`
  const [form, output, many, note] = place.querySelectorAll('form, output, [type=button], .note')
  let socket = null

  /** Calls back with the socket once it is open; makes one if there is none. */
  function withSocket(use) {
    if (socket?.readyState === WebSocket.OPEN) return use(socket)
    if (socket !== null) return
    socket = new WebSocket(new URL(url, location.href).href.replace(/^http/, 'ws'))
    socket.addEventListener('open', () => use(socket))
    socket.addEventListener('close', ({ code }) => {
      socket = null
      note.textContent = `closed with ${code}`
    })
  }

  /** Sends a text so many times at once, and waits for as many to come back. */
  function send(text, times) {
    withSocket((socket) => {
      const started = performance.now()
      let left = times
      socket.onmessage = ({ data }) => {
        if (--left > 0) return
        const took = (performance.now() - started).toFixed(1)
        output.value = data
        note.textContent = times === 1 ? `back in ${took} ms` : `${times.toLocaleString()} back in ${took} ms`
      }
      for (let i = 0; i < times; i++) socket.send(text)
    })
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    send(form.elements.text.value, 1)
  })
  many.addEventListener('click', () => send(form.elements.text.value, 1000))
}
