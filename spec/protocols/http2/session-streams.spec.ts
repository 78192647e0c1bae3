import { once } from 'node:events'
import { connect as connectHttp2, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { SessionStreams } from '../../../lib/protocols/http2/session-streams.ts'
import { answering, tempFolder } from '../../support/command.ts'
import { promotedUnder } from '../../support/promoted.ts'
import { suite } from '../../support/suite.ts'

const test = suite('The table of the streams of an HTTP/2 session')

const growsOld = 'what a long session has answered does not grow old: it goes with the young objects'

if (Number(process.versions.node.split('.')[0]) >= 24) test.skip(growsOld, 'from Node 24 on something else in node:http2 has it grow old at times')
else test.needing(['h2load'], () => test(growsOld, async (t) => {
  const app = tempFolder(t).write('app.mjs', `export default ${answering('ok')}`)
  const promoted = await promotedUnder(t, [app], ['-c', '1', '-m', '32', '-n', '50000'])
  assert.ok(promoted < 100_000, `${promoted} bytes at each collection; it was a million and more`)
}, 30))

test('a table that begins anew has the streams that are open', async (t) => {
  const server = createServer()
  t.after(() => server.close())
  const opened: ServerHttp2Stream[] = []
  const sessions: ServerHttp2Session[] = []
  server.on('session', (session) => sessions.push(session))
  server.on('stream', (stream) => opened.push(stream))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.after(() => client.destroy())
  const asked = client.request({ ':method': 'POST' })
  while (opened.length === 0) await once(server, 'stream')
  const session = sessions[0] as ServerHttp2Session
  const streams = new SessionStreams(session)
  const table = tableOf(session)
  for (let begun = 0; begun < 64; begun++) streams.begun()
  assert.is.not(tableOf(session), table)
  assert.equal([...tableOf(session)], [...table])
  // Its frames find it, and so does its end.
  asked.end('to the new table')
  let body = ''
  for await (const chunk of opened[0] ?? []) body += String(chunk)
  assert.is(body, 'to the new table')
  opened[0]?.respond({}, { endStream: true })
  asked.resume()
  await once(asked, 'close')
  client.close()
  await once(session, 'close')
  assert.is(tableOf(session).size, 0)
})

test('a session whose table is not where it was is left alone', () => {
  for (const session of [{}, { [Symbol('state')]: null }, { [Symbol('state')]: { streams: [] } }]) {
    const streams = new SessionStreams(session as unknown as ServerHttp2Session)
    for (let begun = 0; begun < 100; begun++) streams.begun()
  }
})

function tableOf(session: object): Map<number, unknown> {
  const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state')
  return (session as Record<symbol, { streams: Map<number, unknown> }>)[key ?? Symbol('none')]?.streams ?? new Map()
}

test.run()
