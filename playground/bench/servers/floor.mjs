/** The floor: `node:net` that answers every read with the same bytes and parses nothing. */
import { createServer } from 'node:net'
import { serving } from './serving.mjs'

const reply = Buffer.from([
  'HTTP/1.1 200 OK', 'content-type: text/plain', `date: ${new Date().toUTCString()}`, 'content-length: 12', '', 'Hello world!',
].join('\r\n'))

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', () => socket.write(reply))
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', 2048, () => serving(`http://127.0.0.1:${server.address().port}/`))
