/** The control: `ws` without compression. */
import { WebSocket, WebSocketServer } from 'ws'
import { broadcasts, serving } from './serving.mjs'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 2048, perMessageDeflate: false }, () => {
  serving(`http://127.0.0.1:${server.address().port}/`)
})
server.on('connection', (socket) => {
  socket.on('error', () => {})
  socket.on('message', broadcasts ? toAll : (data, isBinary) => socket.send(data, { binary: isBinary }))
})

function toAll(data, isBinary) {
  for (const client of server.clients) {
    if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
  }
}
