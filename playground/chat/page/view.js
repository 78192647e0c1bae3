/** What the page shows. All that people write goes through `textContent`, so it stays text whatever it is. */

/** Lines that the page keeps. */
const LINES = 500

const find = (selector) => document.querySelector(selector)
const [join, room, scroller, log, outbox, members] = ['#join', '#room', '#scroller', '#log', '#outbox', '#members'].map(find)

let me = ''

/** Shows the door: the form for room and name, with what went wrong. */
export function door(why) {
  join.hidden = false
  room.hidden = true
  find('#refusal').textContent = why
  const { room: roomField, name } = join.elements
  const field = roomField.value === '' ? roomField : name
  field.focus()
}

/** Shows the room. */
export function enter(roomName, name, names) {
  const entered = room.hidden
  me = name
  join.hidden = true
  room.hidden = false
  room.querySelector('h1').textContent = roomName
  document.title = `${roomName} · Chat`
  state('here', 'Connected')
  members.replaceChildren()
  for (const each of names) addMember(each)
  if (entered) find('#say').elements.text.focus()
}

/** Shows how the connection is: `connecting`, `here` or `away`. Somebody may still stand at the door. */
export function state(word, text) {
  find('#refusal').textContent = word === 'away' ? text : ''
  const place = find('#state')
  place.dataset.state = word
  place.textContent = text
  find('#retry').hidden = word !== 'away'
}

export function came(name) {
  addMember(name)
  note(`${name} is here`)
}

export function left(name) {
  for (const item of members.children) if (item.dataset.name === name) item.remove()
  count()
  note(`${name} left`)
}

/** A line that nobody wrote. */
export function note(text) {
  add(log, element('li', { className: 'note', textContent: text, dir: 'auto' }))
}

/** A message. */
export function message(at, name, text, own) {
  const line = element('li', { className: own ? 'message own' : 'message' })
  // The author stands over the first of several in a row.
  const again = log.lastElementChild?.dataset.name === name
  line.dataset.name = name
  line.classList.toggle('again', again)
  const time = new Date(at)
  line.append(
    element('b', { textContent: name, dir: 'auto' }),
    element('time', { textContent: time.toLocaleTimeString([], { timeStyle: 'short' }), dateTime: time.toISOString() }),
    element('p', { textContent: text, dir: 'auto' }),
  )
  tint(line, name)
  add(log, line)
}

/** A message of this page that the server has not sent back yet. */
export function waits(ref, text) {
  const line = element('li', { className: 'message own' })
  line.dataset.ref = ref
  line.append(element('p', { textContent: text, dir: 'auto' }))
  add(outbox, line)
  scroller.scrollTop = scroller.scrollHeight
}

/** It waits no more. */
export function arrived(ref) {
  for (const line of outbox.children) if (line.dataset.ref === ref) line.remove()
}

export function clear() {
  log.replaceChildren()
  outbox.replaceChildren()
}

function addMember(name) {
  const item = element('li', { textContent: name, dir: 'auto' })
  item.dataset.name = name
  if (name === me) item.append(element('small', { textContent: ' (you)' }))
  tint(item, name)
  const next = [...members.children].find((other) => other.dataset.name.localeCompare(name) > 0)
  members.insertBefore(item, next ?? null)
  count()
}

function count() {
  find('#count').textContent = members.children.length
}

/** Adds a line, and stays at the end if the reader is there. */
function add(list, line) {
  const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40
  list.append(line)
  while (list.children.length > LINES) list.firstElementChild.remove()
  if (atEnd) scroller.scrollTop = scroller.scrollHeight
}

/** Gives everybody a colour of their own. */
function tint(item, name) {
  let hash = 0
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 16777619)
  item.style.setProperty('--hue', (hash >>> 0) % 360)
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties)
}
