/** Two people in a room of their own, each with a connection: what one says, both get. */
export function tryOut(place, url) {
  place.innerHTML = `
    <div class="row"><button type="button">Let Ada and Ben in</button><span class="note"></span></div>
    <form class="row"><input name="text" aria-label="Message" placeholder="Ada says …" maxlength="500" disabled><button disabled>Send</button></form>
    <output aria-label="What Ben sees"></output>`
  const [button, note, form, output] = place.querySelectorAll('[type=button], .note, form, output')
  const room = `showcase ${crypto.getRandomValues(new Uint32Array(1))[0]}`
  const address = new URL(`${url}/socket`, location.href).href.replace(/^http/, 'ws')
  let ada = null

  /** Lets somebody in; `heard` gets all that this connection is told. */
  function enter(name, heard) {
    const socket = new WebSocket(address)
    socket.addEventListener('open', () => socket.send(JSON.stringify({ type: 'join', room, name, key: name })))
    socket.addEventListener('message', ({ data }) => heard(JSON.parse(data)))
    socket.addEventListener('close', ({ code }) => {
      note.textContent = `${name}: closed with ${code}`
      for (const field of form.elements) field.disabled = true
      button.disabled = false
    })
    return socket
  }

  function show(line) {
    output.value = [...output.value.split('\n'), line].slice(-6).join('\n').trim()
  }

  button.addEventListener('click', () => {
    button.disabled = true
    output.value = ''
    enter('Ben', (told) => {
      if (told.type === 'welcome') ada = enter('Ada', () => {})
      if (told.type === 'said') show(`${told.name}: ${told.text}`)
      if (told.type === 'left') show(`${told.name} left`)
      if (told.type !== 'came') return
      show(`${told.name} is here`)
      note.textContent = 'Below is what Ben sees.'
      for (const field of form.elements) field.disabled = false
    })
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const { text } = form.elements
    ada.send(JSON.stringify({ type: 'say', text: text.value, ref: 'x' }))
    text.value = ''
  })
}
