import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http'
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fromNode } from '../../../adapters/node/index.ts'
import { serve, type Application } from '../../../lib/index.ts'
import type { ServerOptions } from '../../../lib/server/options.ts'
import type { TestContext } from '../../support/suite.ts'

/** What is asked of every host. */
export interface Ask {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  readonly trailers?: Readonly<Record<string, string>>
}

/** What it answers, without what belongs to the connection and without the date. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
  readonly trailers: Readonly<Record<string, unknown>>
  readonly hints: readonly string[]
}

const ofTheConnection = /^(?:date|connection|keep-alive|transfer-encoding|:status)$/

/** Listens with node:http; gives the URL. */
export async function onNodeHttp(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Listens with tsgi, on HTTP/1.1 and HTTP/2; gives the URL. */
export async function onTsgi(t: TestContext, target: object, options: ServerOptions = {}): Promise<string> {
  return listening(t, fromNode(target), options)
}

/** The same for an application. */
export async function listening(t: TestContext, app: Application, options: ServerOptions = {}): Promise<string> {
  const server = await serve(app, { port: 0, accessLog: false, logLevel: 'error', ...options })
  t.after(() => server.close({ timeout: 1 }))
  return server.url
}

/** Asks over HTTP/1.1. */
export function askHttp1(url: string, ask: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const hints: string[] = []
    const { method = 'GET', path, headers = {}, body, trailers } = ask
    const request = httpRequest(url + path, { method, headers: headers as Record<string, string>, agent: false }, (response: IncomingMessage) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({
        status: response.statusCode ?? 0,
        headers: kept(response.headers),
        body: Buffer.concat(chunks).toString('latin1'),
        trailers: { ...response.trailers },
        hints,
      }))
    })
    request.on('information', (info) => {
      if (info.statusCode === 103) hints.push(String(info.headers['link']))
    })
    request.on('error', reject)
    if (trailers !== undefined) request.addTrailers(trailers)
    request.end(body)
  })
}

/** Asks over HTTP/2, with prior knowledge. */
export function askHttp2(url: string, ask: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', path, headers = {}, body, trailers } = ask
    const session = connectHttp2(url)
    session.on('error', reject)
    const given = Object.fromEntries(Object.entries(headers).filter(([name]) => !ofTheConnection.test(name.toLowerCase())))
    const stream = session.request({ ...given as Record<string, string>, ':method': method, ':path': path }, { endStream: body === undefined, waitForTrailers: trailers !== undefined })
    if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    const hints: string[] = []
    const chunks: Buffer[] = []
    let head: IncomingHttpHeaders = {}
    let got: IncomingHttpHeaders = {}
    stream.on('headers', (info) => hints.push(String(info['link'])))
    stream.on('response', (response) => (head = response))
    stream.on('trailers', (fields) => (got = fields))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('end', () => {
      resolve({ status: Number(head[':status']), headers: kept(head), body: Buffer.concat(chunks).toString('latin1'), trailers: { ...got }, hints })
      session.close()
    })
    if (body !== undefined) stream.end(body)
  })
}

function kept(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ofTheConnection.test(name)).sort(([a], [b]) => a < b ? -1 : 1))
}
