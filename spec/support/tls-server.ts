/** A server with TLS, and an application that tells what it sees. */
import { execFile } from 'node:child_process'
import { serve, type Application, type HttpScope, type Server, type ServerOptions } from '../../lib/index.ts'
import { issue } from './certificates.ts'
import type { TestContext } from './suite.ts'

/** Answers with the parts of the scope that tell of the connection, in JSON. */
export const scopeTeller: Application = async (scope, _receive, send) => {
  if (scope.type !== 'http') throw new Error('HTTP only')
  const { scheme, client, server, httpVersion, extensions } = scope
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'application/json']] })
  await send({ type: 'http.response.body', body: JSON.stringify({ scheme, client, server, httpVersion, tls: extensions.tls ?? null }) })
}

/** What `scopeTeller` tells. */
export type Told = Pick<HttpScope, 'scheme' | 'client' | 'server' | 'httpVersion'> & { readonly tls: HttpScope['extensions']['tls'] | null }

/** A server on a free port with a certificate for localhost; closed after the test. */
export async function tlsServer(t: TestContext, options: ServerOptions = {}, app: Application = scopeTeller): Promise<Server & { readonly port: number }> {
  const { cert, key } = issue()
  const server = await serve(app, { ...(options.bind === undefined ? { port: 0 } : {}), accessLog: false, logLevel: 'error', tlsCert: cert, tlsKey: key, ...options })
  t.after(() => server.close({ timeout: 1 }))
  return Object.assign(server, { port: Number(new URL(server.url).port) })
}

/** Runs a program to its end, with a text as its input. */
export function runProgram(file: string, args: readonly string[], input = ''): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { encoding: 'utf8', timeout: 9000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
