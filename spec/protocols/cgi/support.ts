/** A call of `serveCgi` with streams of a test. */
import { PassThrough, Readable } from 'node:stream'
import type { Application } from '../../../lib/index.ts'
import { serveCgi, type ServeCgiOptions } from '../../../lib/protocols/cgi/index.ts'

/** The variables that a server must give (RFC 3875 4.1). */
export const minimal: Readonly<Record<string, string>> = {
  GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', QUERY_STRING: '', SCRIPT_NAME: '/app', PATH_INFO: '/', SERVER_NAME: 'a.example', SERVER_PORT: '80', SERVER_PROTOCOL: 'HTTP/1.1', REMOTE_ADDR: '192.0.2.1',
}

/** What a program has written, and what it ended with: an error, or null. */
export interface Ran {
  readonly output: string
  readonly error: unknown
}

/** Runs an application with variables beside the minimal ones, and a text as its input. */
export async function run(app: Application, env: Readonly<Record<string, string>> = {}, input = '', options: Partial<ServeCgiOptions> = {}): Promise<Ran> {
  const stdout = new PassThrough({ highWaterMark: 2 ** 24 })
  const error = await serveCgi(app, { env: { ...minimal, ...env }, stdin: Readable.from(input === '' ? [] : [Buffer.from(input, 'latin1')]), stdout, ...options }).then(() => null, (each: unknown) => each)
  return { output: (stdout.read() as Buffer | null)?.toString('latin1') ?? '', error }
}

/** A shell script that runs `tsgi cgi` with some arguments. */
export function commandScript(args: readonly string[]): string {
  const module = `import { runCgi } from ${JSON.stringify(new URL('../../../lib/cli/cgi.ts', import.meta.url).href)}; await runCgi(${JSON.stringify(args)})`
  const words = [process.execPath, '--conditions=source', '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', module]
  return `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')}\n`
}

/** An application for a program: tells of its request, echoes bodies, fails. */
export const teller = `
  console.log('not part of the response')
  export default async (scope, receive, send) => {
    if (scope.type !== 'http') throw new Error('HTTP only')
    const { method, path, rawPath, rootPath, queryString, scheme, client, server } = scope
    const path2 = path.slice(rootPath.length)
    if (path2 === '/fails') throw new Error('boom')
    const respond = async (status, headers, body) => {
      await send({ type: 'http.response.start', status, headers })
      await send({ type: 'http.response.body', body })
    }
    if (path2 === '/moved') return respond(303, [['location', 'http://a.example/b']], '')
    if (path2 === '/missing') return respond(404, [['content-type', 'text/plain']], 'not here')
    if (path2 === '/half') {
      await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] })
      await send({ type: 'http.response.body', body: 'half', moreBody: true })
      throw new Error('boom')
    }
    if (path2 === '/waits') {
      await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] })
      await send({ type: 'http.response.body', body: 'waiting', moreBody: true })
      const { writeFileSync } = await import('node:fs')
      while ((await receive()).type !== 'http.disconnect');
      writeFileSync(decodeURIComponent(queryString), 'left')
      return
    }
    if (path2 === '/echo') {
      await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'application/octet-stream']] })
      for (;;) {
        const event = await receive()
        if (event.type !== 'http.request') return
        await send({ type: 'http.response.body', body: event.body, moreBody: event.moreBody })
        if (!event.moreBody) return
      }
    }
    await respond(200, [['content-type', 'application/json'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']], JSON.stringify({ method, path, rawPath, rootPath, queryString, scheme, client, server, headers: [...scope.headers] }))
  }
`
