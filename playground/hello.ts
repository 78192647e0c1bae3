/** The smallest application: one text for every request. */
import { application, type Application } from 'tsgi'

const app: Application = application({
  http: async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain; charset=utf-8']] })
    await send({ type: 'http.response.body', body: 'Hello, world!\n' })
  },
})

export default app
