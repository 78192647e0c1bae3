import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import * as assert from 'uvu/assert'
import { TlsFailed } from '../../lib/index.ts'
import { authority, issueNew, type Issued } from '../support/certificates.ts'
import { answering, startProcess, tempFolder, type Running } from '../support/command.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { tlsServer } from '../support/tls-server.ts'

const test = suite('certificates are exchanged while the server runs')

interface Place {
  readonly cert: string
  readonly key: string
}

function placeIn(folder: string): Place {
  return { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
}

/** Writes a file beside the place and renames it, as careful programs do. */
function put(from: string, to: string): void {
  copyFileSync(from, `${to}.new`)
  renameSync(`${to}.new`, to)
}

function install({ cert, key }: Issued, place: Place): void {
  put(cert, place.cert)
  put(key, place.key)
}

/** The certificate that a new connection gets. */
async function served(t: TestContext, port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(authority().cert) })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  const pem = socket.getPeerX509Certificate()?.toString() ?? ''
  socket.destroy()
  return pem
}

/** Waits until new connections get a certificate. */
async function untilServed(t: TestContext, port: number, { pem }: Issued): Promise<void> {
  while (await served(t, port) !== pem) await new Promise((resolve) => setTimeout(resolve, 50))
}

function get(port: number, agent: Agent): Promise<{ status: number; pem: string; socket: object }> {
  return new Promise((resolve, reject) => {
    const call = request({ port, host: '127.0.0.1', servername: 'localhost', agent, ca: readFileSync(authority().cert) }, (response) => {
      const { socket } = response
      const pem = 'getPeerX509Certificate' in socket ? (socket as ReturnType<typeof connect>).getPeerX509Certificate()?.toString() ?? '' : ''
      response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, pem, socket })).on('error', reject)
    })
    call.on('error', reject).end()
  })
}

async function command(t: TestContext, place: Place, more: readonly string[] = []): Promise<{ running: Running; port: number }> {
  const folder = tempFolder(t)
  const running = startProcess(t, [folder.write('app.mjs', `export default ${answering('fine')}`), '--port', '0', '--no-access-log', '--tls-cert', place.cert, '--tls-key', place.key, ...more])
  const [, url = ''] = await running.output(/ on (https:\S+) \(/)
  return { running, port: Number(new URL(url).port) }
}

test.needing(['openssl'], () => {
  test('files that are replaced under load: new connections get the new certificate, open ones go on, no request fails', async (t) => {
    const place = placeIn(tempFolder(t).path)
    const [one, two] = [issueNew(), issueNew()]
    install(one, place)
    const server = await tlsServer(t, { tlsCert: place.cert, tlsKey: place.key })
    const kept = new Agent({ keepAlive: true, maxSockets: 1 })
    // A session that is resumed shows no certificate.
    const fresh = new Agent({ keepAlive: false, maxCachedSessions: 0 })
    t.after(() => kept.destroy())
    let stopped = false
    const seen: string[] = []
    let answered = 0
    const open = new Set<object>()
    const load = (agent: Agent, list?: string[]): Promise<void> => (async () => {
      while (!stopped) {
        const { status, pem, socket } = await get(server.port, agent)
        assert.is(status, 200)
        answered++
        list?.push(pem)
        if (list === undefined) open.add(socket)
      }
    })()
    const loads = [load(kept), load(fresh, seen), load(fresh, seen)]
    put(two.cert, place.cert)
    await new Promise((resolve) => setTimeout(resolve, 700))
    put(two.key, place.key)
    await Promise.race([untilServed(t, server.port, two), ...loads])
    const after = answered
    while (answered < after + 50) await Promise.race([new Promise((resolve) => setTimeout(resolve, 10)), ...loads])
    stopped = true
    await Promise.all(loads)
    assert.is(open.size, 1, 'the connection that was open stayed open')
    assert.equal([...new Set(seen)], [one.pem, two.pem])
    assert.is(seen.indexOf(two.pem), seen.lastIndexOf(one.pem) + 1, 'never back to the old one')
    assert.ok(answered > 100, String(answered))
  }, 20)

  test('the link that a mounted secret swaps is followed', async (t) => {
    const folder = tempFolder(t).path
    const [one, two] = [issueNew(), issueNew()]
    for (const [name, issued] of [['..1', one], ['..2', two]] as const) {
      mkdirSync(join(folder, name))
      install(issued, placeIn(join(folder, name)))
    }
    symlinkSync('..1', join(folder, '..data'))
    for (const name of ['cert.pem', 'key.pem']) symlinkSync(join('..data', name), join(folder, name))
    const place = placeIn(folder)
    const server = await tlsServer(t, { tlsCert: place.cert, tlsKey: place.key })
    assert.is(await served(t, server.port), one.pem)
    symlinkSync('..2', join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    await untilServed(t, server.port, two)
  })

  test('reloadCertificates() reads them at once; one that cannot be used is thrown and changes nothing, the named ones included', async (t) => {
    const folder = tempFolder(t).path
    const place = placeIn(folder)
    const named: Place = { cert: join(folder, 'named.pem'), key: join(folder, 'named-key.pem') }
    const [one, two, three] = [issueNew(), issueNew(), issueNew()]
    install(one, place)
    install(one, named)
    const server = await tlsServer(t, { tlsCert: place.cert, tlsKey: place.key, tlsContexts: { localhost: named } })
    install(two, named)
    server.reloadCertificates()
    assert.is(await served(t, server.port), two.pem)
    put(three.cert, named.cert)
    assert.throws(() => server.reloadCertificates(), (error: unknown) => error instanceof TlsFailed && error.message === `the key ${named.key} does not belong to the certificate ${named.cert}`)
    assert.is(await served(t, server.port), two.pem)
    put(three.key, named.key)
    server.reloadCertificates()
    assert.is(await served(t, server.port), three.pem)
  })

  test('the command: SIGHUP reads them at once; a bad one is one error line, the old one stays, and the next good one is taken', async (t) => {
    for (const more of [[], ['--reload']]) {
      const place = placeIn(tempFolder(t).path)
      const [one, two, three] = [issueNew(), issueNew(), issueNew()]
      install(one, place)
      const { running, port } = await command(t, place, more)
      install(two, place)
      running.kill('SIGHUP')
      await running.output(/^certificates read again$/m)
      assert.is(await served(t, port), two.pem)

      const bad = `error: the key ${place.key} does not belong to the certificate ${place.cert}; the certificates stay as they were\n`
      put(three.cert, place.cert)
      await running.output(/^error: .*stay as they were$/m, 'stderr')
      assert.is(await served(t, port), two.pem)
      await new Promise((resolve) => setTimeout(resolve, 1500))
      assert.is(running.stderr, bad, 'one line, though it was looked at again')
      put(three.key, place.key)
      await untilServed(t, port, three)
      running.kill('SIGTERM')
      const ended = await running.ended
      assert.equal([ended.code, ended.stderr], [0, bad])
    }
  }, 40)

  test('without TLS, SIGHUP ends the command as ever', async (t) => {
    const folder = tempFolder(t)
    const running = startProcess(t, [folder.write('app.mjs', `export default ${answering('fine')}`), '--port', '0'])
    await running.output(/ on (http:\S+) \(/)
    running.kill('SIGHUP')
    assert.is((await running.ended).signal, 'SIGHUP')
  })
})

test.run()
