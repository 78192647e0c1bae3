import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { serve } from '../../lib/index.ts'
import showcase from '../../playground/showcase/app.ts'
import syncCallsAsync from '../../playground/sync-calls-async/app.ts'
import { serveCommand } from '../support/command.ts'
import { suite } from '../support/suite.ts'
import { start } from './support.ts'

const test = suite('playground sync-calls-async')

const lines = [
  'lisbon      1204 sold      4214.00 EUR',
  'oslo         311 sold      4011.90 EUR',
  'quito     no figures: 503 the till is broken',
  'sapporo       87 sold      4176.00 EUR',
]
const report = new RegExp(`^${lines.join('\n')}\n\nMade on thread [1-9]\\d* by functions without an await, in \\d+ ms: 5 calls of fetch\\.\n$`)

async function reportAt(url: string): Promise<string> {
  const response = await fetch(url)
  assert.is(response.status, 200)
  return response.text()
}

test('sync functions on a thread fetch from their own server, and catch what a fetch throws', async (t) => {
  assert.match(await reportAt(await start(t, syncCallsAsync)), report)
}, 30)

test('mounted in the showcase it finds itself', async (t) => {
  assert.match(await reportAt(`${await start(t, showcase)}/sync-calls-async`), report)
}, 30)

test('more reports at once than there are threads all come', async (t) => {
  const url = await start(t, syncCallsAsync)
  for (const text of await Promise.all(Array.from({ length: 12 }, () => reportAt(url)))) assert.match(text, report)
}, 40)

test('the command serves it by itself', async (t) => {
  const { url } = await serveCommand(t, ['playground/sync-calls-async/app.ts'])
  assert.match(await reportAt(url), report)
}, 30)

test('what is not there is a 404', async (t) => {
  const url = await start(t, syncCallsAsync)
  for (const path of ['/shop', '/shops/', '/shops/rome', '/shops/toString']) assert.is((await fetch(url + path)).status, 404, path)
})

test('on a Unix socket, where nothing can be fetched from, it says so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-sync-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const server = await serve(syncCallsAsync, { uds: join(folder, 'socket'), accessLog: false })
  t.after(() => server.close({ timeout: 1 }))
  const [response] = await once(request({ socketPath: join(folder, 'socket'), path: '/', agent: false }).end(), 'response') as [IncomingMessage]
  assert.is(response.statusCode, 501)
  assert.match(await text(response), /a port of TCP/)
})

test.run()
