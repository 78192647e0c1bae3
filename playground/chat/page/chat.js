import { Connection } from './connection.js'
import * as view from './view.js'

const join = document.querySelector('#join')
const say = document.querySelector('#say')

/** Messages that wait for the server, while it is away or their answer is on its way. */
const OUTBOX = 20

/** What this page joined, or wants to join: room, name and key. The key gives it its name back when it comes back. */
let seat = null
/** The `at` of the last message that is shown. */
let lastAt = 0
let inside = false
/** The texts that the server has not sent back yet, by their ref. */
const outbox = new Map()

const connection = new Connection(socketUrl(), {
  connecting: () => view.state('connecting', 'Connecting …'),
  open: () => connection.send({ type: 'join', ...seat }),
  heard: (told) => heard[told.type](told),
  away: (pause) => {
    inside = false
    view.state('away', `The server is away. Next try in ${Math.ceil(pause / 1000)} s.`)
  },
  ended: leave,
})

/** What to do with what the server tells; wire.ts has all of it. */
const heard = {
  welcome({ room, name, members, history }) {
    seat = { ...seat, room, name }
    inside = true
    location.hash = encodeURIComponent(room)
    localStorage.setItem('name', name)
    view.enter(room, name, members)
    // After a break, only what was missed.
    for (const said of history) if (said.at > lastAt) heard.said(said)
    for (const [ref, text] of outbox) connection.send({ type: 'say', text, ref })
  },

  said({ at, name, text, ref }) {
    lastAt = at
    if (outbox.delete(ref)) view.arrived(ref)
    view.message(at, name, text, name === seat.name)
  },

  came({ name }) {
    view.came(name)
  },

  left({ name }) {
    view.left(name)
  },

  sorry({ text }) {
    if (!inside) return leave(text)
    // The server answers in order: this is about the message that waits longest.
    const [ref] = outbox.keys()
    if (outbox.delete(ref)) view.arrived(ref)
    view.note(text)
  },
}

join.addEventListener('submit', (event) => {
  event.preventDefault()
  const { room, name } = join.elements
  if (room.value !== seat?.room) forget()
  seat = { room: room.value, name: name.value, key: seat?.key ?? mark() }
  connection.open()
})

say.addEventListener('submit', (event) => {
  event.preventDefault()
  const { text } = say.elements
  if (text.value.trim() === '') return
  if (outbox.size === OUTBOX) return view.note('So many messages wait already: this one has to stay where it is.')
  const ref = mark()
  outbox.set(ref, text.value)
  view.waits(ref, text.value)
  // While the server is away this sends nothing: the message goes out with the next welcome.
  if (inside) connection.send({ type: 'say', text: text.value, ref })
  text.value = ''
})

document.querySelector('#leave').addEventListener('click', () => leave(''))
document.querySelector('#retry').addEventListener('click', () => connection.retry())

/** Goes back to the door. What was shown stays, for the case that the same room is joined again. */
function leave(why) {
  inside = false
  connection.close()
  view.door(why)
}

function forget() {
  lastAt = 0
  outbox.clear()
  view.clear()
}

/** Something that nobody else has. */
function mark() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (number) => number.toString(36)).join('')
}

/** The room that a link to this page names. */
function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1))
  } catch {
    return ''
  }
}

/** The address of the socket, beside that of the page. */
function socketUrl() {
  const url = new URL('socket', location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  return url
}

join.elements.room.value = roomOfAddress()
join.elements.name.value = localStorage.getItem('name') ?? ''
view.door('')
