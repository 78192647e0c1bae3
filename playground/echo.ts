/** Sends the body of a request back while it comes, and its trailers after it. */
import { application, type Application } from 'tsgi'

const app: Application = application({
  http: async (scope, receive, send) => {
    let event = await receive()
    if (event.type === 'http.disconnect') return
    const empty = event.body.length === 0 && !event.moreBody
    if (empty && (scope.method === 'GET' || scope.method === 'HEAD')) {
      await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain; charset=utf-8']] })
      await send({ type: 'http.response.body', body: help(`${scope.scheme}://${scope.headers.get('host') ?? 'localhost'}${scope.rawPath}`) })
      return
    }

    const contentType = scope.headers.get('content-type') ?? 'application/octet-stream'
    await send({
      type: 'http.response.start',
      status: 200,
      // nosniff: a browser must not take for a page what somebody sent as something else.
      headers: [['content-type', contentType], ['x-content-type-options', 'nosniff']],
      trailers: true,
    })
    // One part at a time: `send` waits for a client that reads slowly, and a client that writes fast waits for `receive`.
    while (event.moreBody) {
      await send({ type: 'http.response.body', body: event.body, moreBody: true })
      event = await receive()
      if (event.type === 'http.disconnect') return
    }
    await send({ type: 'http.response.body', body: event.body })
    await send({ type: 'http.response.trailers', headers: event.trailers })
  },
})

function help(url: string): string {
  return `Send a body, by any method, and it comes back while it arrives:

  curl --data 'Hello, echo' ${url}
  curl -T some-file -o copy-of-it ${url}
  curl -NT . ${url}        (then type lines)
`
}

export default app
