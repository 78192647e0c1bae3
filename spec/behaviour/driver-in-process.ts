import { WebSocketRefused } from '../../lib/contract/errors.ts'
import { testClient } from '../../lib/testing/client.ts'
import type { DriverRequest, DriverResponse, Protocol } from './driver.ts'

/** The test client. */
export const inProcess: Protocol = {
  name: 'in-process',
  httpVersion: '1.1',
  secure: false,
  hasWebSockets: true,
  hasServer: false,
  async open(app, options = {}) {
    const client = await testClient(app, { raiseApplicationErrors: false, ...options })
    const fetch = async (request: DriverRequest, signal: AbortSignal): Promise<DriverResponse> => {
      const { path = '/', onInterim: _, ...init } = request
      const response = await client.fetch(path, { ...init, signal })
      return {
        status: response.status,
        headers: response.headers,
        earlyHints: response.earlyHints,
        parts: response.body ?? (async function* () {})(),
        text: () => response.text(),
        trailers: () => response.trailers,
        leave: () => {},
      }
    }
    return {
      async request(request) {
        const controller = new AbortController()
        return { ...await fetch(request, controller.signal), leave: () => controller.abort() }
      },
      async requestAndLeave(request, when) {
        const controller = new AbortController()
        void when.then(() => controller.abort())
        await fetch(request, controller.signal).catch(() => {})
      },
      async websocket({ path = '/', ...init }) {
        const controller = new AbortController()
        try {
          const socket = await client.websocket(path, { ...init, signal: controller.signal })
          const messages = socket[Symbol.asyncIterator]()
          return {
            subprotocol: socket.subprotocol,
            headers: socket.headers,
            names: [...socket.headers.keys()],
            closed: socket.closed,
            send: (message) => socket.send(message),
            receive: async () => (await messages.next()).value ?? null,
            close: (code, reason) => void socket.close(code, reason),
            leave: () => controller.abort(),
          }
        } catch (error) {
          if (!(error instanceof WebSocketRefused)) throw error
          const { response } = error
          return {
            status: response.status,
            headers: response.headers,
            earlyHints: [],
            parts: response.body ?? (async function* () {})(),
            text: () => response.text(),
            trailers: async () => new Headers(),
            leave: () => controller.abort(),
          }
        }
      },
      async websocketAndLeave({ path = '/', ...init }, when) {
        const controller = new AbortController()
        void when.then(() => controller.abort())
        await client.websocket(path, { ...init, signal: controller.signal }).catch(() => {})
      },
      close: () => client.close(),
    }
  },
}
