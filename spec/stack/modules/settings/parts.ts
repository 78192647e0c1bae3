import { isMainThread } from 'node:worker_threads'
import { MiddlewareNotUsed } from '../../../../lib/contract/errors.ts'
import {
  async, HttpResponse, route, sync, type AsyncHttpRequest, type Layer, type Route, type SyncHttpRequest,
} from '../../../../lib/stack/index.ts'

const where = (): string => isMainThread ? 'loop' : 'thread'

export const outer: Layer = async(async (request, next) => {
  const response = await next(request)
  response.headers.set('x-outer', where())
  return response
}, 'outer')

export function unused(): Layer {
  throw new MiddlewareNotUsed('not here')
}

export function legacy(): Layer {
  return sync((request, next) => {
    const response = next(request)
    response.headers.set('x-legacy', where())
    return response
  })
}

export function hello(request: SyncHttpRequest): HttpResponse {
  return HttpResponse.text(`hello ${request.params['name']} from a ${where()}`)
}

export async function wait(_request: AsyncHttpRequest): Promise<HttpResponse> {
  return HttpResponse.text(`waited on a ${where()}`)
}

export const table: readonly Route[] = [route('/table', hello)]
