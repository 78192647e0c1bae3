/** Sends each message of a WebSocket back, text as text and bytes as bytes. */
import { application, type Application } from 'tsgi'

const app: Application = application({
  websocket: async (_scope, receive, send) => {
    for (;;) {
      const event = await receive()
      if (event.type === 'websocket.disconnect') return
      if (event.type === 'websocket.connect') await send({ type: 'websocket.accept' })
      // `send` waits for a client that reads slowly, and a client that writes fast waits for `receive`.
      else await send({ type: 'websocket.send', text: event.text, bytes: event.bytes })
    }
  },

  http: async (scope, _receive, send) => {
    const url = `${scope.scheme.replace('http', 'ws')}://${scope.headers.get('host') ?? 'localhost'}${scope.rawPath}`
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain; charset=utf-8']] })
    await send({ type: 'http.response.body', body: help(url) })
  },
})

function help(url: string): string {
  return `Here is a WebSocket: what you send to it comes back. In the console of a browser:

  const socket = new WebSocket('${url}')
  socket.onmessage = (event) => console.log(event.data)
  socket.onopen = () => socket.send('Hello, echo')

In a shell, with Python's websockets:

  python3 -m websockets ${url}
`
}

export default app
