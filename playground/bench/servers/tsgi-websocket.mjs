import { application, serve } from 'tsgi'
import { broadcasts, serving } from './serving.mjs'

async function echo(scope, receive, send) {
  for (;;) {
    const event = await receive()
    if (event.type === 'websocket.connect') await send({ type: 'websocket.accept' })
    else if (event.type === 'websocket.receive') await send({ type: 'websocket.send', text: event.text, bytes: event.bytes })
    else return
  }
}

const members = new Set()
const ignore = () => {}

async function broadcast(scope, receive, send) {
  for (;;) {
    const event = await receive()
    if (event.type === 'websocket.connect') {
      await send({ type: 'websocket.accept' })
      members.add(send)
    } else if (event.type === 'websocket.receive') {
      const message = { type: 'websocket.send', text: event.text, bytes: event.bytes }
      for (const member of members) member(message).catch(ignore)
    } else {
      members.delete(send)
      return
    }
  }
}

const app = application({ websocket: broadcasts ? broadcast : echo })
const server = await serve(app, { port: 0, host: '127.0.0.1', accessLog: false })
serving(new URL('/', server.url).href)
