/** Server-sent events: a clock that ticks each second, for as long as the client listens. */
import { setTimeout } from 'node:timers/promises'
import { application, disconnectSignal, type Application } from 'tsgi'

const app: Application = application({
  http: async (scope, _receive, send) => {
    await send({
      type: 'http.response.start',
      status: 200,
      headers: [['content-type', 'text/event-stream'], ['cache-control', 'no-store']],
    })
    if (scope.method === 'HEAD') return send({ type: 'http.response.body' })

    // Aborts when the client leaves or the server stops. `receive()` says the same, by `http.disconnect`: use it in
    // code that waits for events anyway. Here the signal is simpler, for it ends the timer too.
    const signal = disconnectSignal(scope)
    for (;;) {
      await send({ type: 'http.response.body', body: `event: tick\ndata: ${new Date().toISOString()}\n\n`, moreBody: true })
      // When it aborts, this throws, and so does `send`. The server knows why: it is no error of the application.
      await setTimeout(1000, undefined, { signal })
    }
  },
})

export default app
