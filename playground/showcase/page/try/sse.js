/** Listens to the clock. */
export function tryOut(place, url) {
  place.innerHTML = `
    <output class="clock" aria-label="Time of the server">--:--:--</output>
    <div class="row"><button type="button"></button><span class="note"></span></div>`
  const [output, button, note] = place.querySelectorAll('output, button, .note')
  let source = null
  function listen() {
    let ticks = 0
    button.textContent = 'Leave'
    note.textContent = 'connecting'
    source = new EventSource(url)
    source.addEventListener('tick', ({ data }) => {
      output.value = new Date(data).toLocaleTimeString()
      note.textContent = `${++ticks} ${ticks === 1 ? 'tick' : 'ticks'} so far`
    })
    source.addEventListener('error', () => { note.textContent = 'the server is away, trying again' })
  }
  function leave() {
    source.close()
    source = null
    button.textContent = 'Listen'
    note.textContent = 'not listening'
  }
  button.addEventListener('click', () => source === null ? listen() : leave())
  listen()
}
