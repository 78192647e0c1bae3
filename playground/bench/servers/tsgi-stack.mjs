import { serve } from 'tsgi'
import { HttpResponse, neutral, pass, route, Stack } from 'tsgi/stack'
import { layers, serving } from './serving.mjs'

const stack = new Stack({
  middleware: Array.from({ length: layers }, () => neutral(function* (request) {
    return yield* pass(request)
  })),
  routes: [route('/', async () => HttpResponse.text('Hello world!'))],
})
const server = await serve(stack.toAsync(), { port: 0, host: '127.0.0.1', accessLog: false })
serving(new URL('/', server.url).href)
