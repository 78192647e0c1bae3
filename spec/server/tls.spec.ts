import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { connect as tlsConnect, createSecureContext, type ConnectionOptions, type TLSSocket } from 'node:tls'
import * as assert from 'uvu/assert'
import { rejects } from 'node:assert/strict'
import { completeOptions } from '../../lib/server/options.ts'
import { InvalidOption, serve, Server, TlsFailed, type ServerOptions } from '../../lib/index.ts'
import { authority, certificateFolder, issue } from '../support/certificates.ts'
import { answering, runCommand, startProcess, tempFolder } from '../support/command.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { runProgram, scopeTeller, tlsServer, type Told } from '../support/tls-server.ts'

const test = suite('TLS ports')

async function open(t: TestContext, port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = tlsConnect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(authority().cert), ...options })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

/** Sends a request and reads to the end of the connection. */
async function ask(socket: TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

function told(response: string): Told {
  return JSON.parse(response.slice(response.indexOf('\r\n\r\n') + 4)) as Told
}

/** What comes back for bytes that are sent as they are, up to the end. */
async function sendRaw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

/** The first bytes of a client. */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) })
    tlsConnect({ socket: wire, servername: 'localhost' }).on('error', () => {})
  })
}

test.needing(['openssl', 'curl'], () => {
  test('with a certificate, host and port are served over TLS: scheme https, versions and addresses in the scope', async (t) => {
    const server = await tlsServer(t)
    assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/)
    const { stdout, stderr, code } = await runProgram('curl', ['-sS', '--http1.1', '--cacert', authority().cert, server.url])
    assert.equal([code, stderr], [0, ''])
    const { scheme, httpVersion, server: address, client, tls } = JSON.parse(stdout) as Told
    assert.equal([scheme, httpVersion, address], ['https', '1.1', ['127.0.0.1', server.port]])
    assert.is(client?.[0], '127.0.0.1')
    assert.is(tls?.serverCert, issue().pem)
  })

  test('RFC 7301 3.2: ALPN picks the protocol, none means HTTP/1.1, and unknown ones only are refused with an alert', async (t) => {
    const server = await tlsServer(t)
    assert.is((await open(t, server.port, { ALPNProtocols: ['http/1.1'] })).alpnProtocol, 'http/1.1')
    assert.is((await open(t, server.port, { ALPNProtocols: ['http/1.1', 'h2'] })).alpnProtocol, 'h2')
    const none = await open(t, server.port)
    assert.is(none.alpnProtocol, false)
    assert.is(told(await ask(none)).httpVersion, '1.1')
    await rejects(open(t, server.port, { ALPNProtocols: ['spdy/3'] }), { code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' })
    const without = await tlsServer(t, { http2: false })
    assert.is((await open(t, without.port, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol, 'http/1.1')
    await rejects(open(t, without.port, { ALPNProtocols: ['h2'] }), { code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' })
  })

  test('the lowest version and the cipher suites are those of the options', async (t) => {
    const server = await tlsServer(t, { tlsMinVersion: 'TLSv1.3' })
    await rejects(open(t, server.port, { maxVersion: 'TLSv1.2' }), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
    const old = await tlsServer(t, { tlsCiphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
    assert.is(told(await ask(await open(t, old.port, { maxVersion: 'TLSv1.2' }))).tls?.cipherSuite, 0xc02b)
  })

  test('a key with a passphrase, and a file that holds both certificate and key', async (t) => {
    const locked = issue({ passphrase: 'open sesame' })
    const server = await tlsServer(t, { tlsCert: locked.cert, tlsKey: locked.key, tlsPassphrase: 'open sesame' })
    assert.is(told(await ask(await open(t, server.port))).scheme, 'https')
    const both = join(certificateFolder(), 'both.pem')
    writeFileSync(both, readFileSync(issue().cert, 'utf8') + readFileSync(issue().key, 'utf8'))
    const one = await serve(scopeTeller, { port: 0, accessLog: false, tlsCert: both })
    t.after(() => one.close())
    assert.is(told(await ask(await open(t, Number(new URL(one.url).port)))).tls?.serverCert, issue().pem)
  })

  test('a name that the client asks for gets its certificate: an exact one before a pattern, another one the certificate of the server', async (t) => {
    const exact = issue({ subject: '/CN=exact' })
    const wild = issue({ subject: '/CN=wild' })
    const made = issue({ subject: '/CN=made' })
    const context = createSecureContext({ cert: readFileSync(made.cert), key: readFileSync(made.key) })
    const server = await tlsServer(t, {
      tlsContexts: { 'a.example.com': { cert: exact.cert, key: exact.key }, '*.Example.com': { cert: wild.cert, key: wild.key }, 'made.test': context },
    })
    const rows = [['a.example.com', exact], ['b.example.com', wild], ['B.EXAMPLE.com', wild], ['b.a.example.com', issue()], ['example.com', issue()], ['made.test', made], ['other', issue()]] as const
    for (const [servername, { pem }] of rows) {
      const socket = await open(t, server.port, { servername, checkServerIdentity: () => undefined })
      assert.is(socket.getPeerX509Certificate()?.toString(), pem, servername)
      assert.is(told(await ask(socket)).tls?.serverCert, pem, servername)
    }
  })

  test('HTTP without TLS is answered 400 in text, and the answer arrives though the client goes on sending', async (t) => {
    const server = await tlsServer(t)
    const expected = /^HTTP\/1\.1 400 Bad Request\r\n.*content-length: 35\r\n.*\r\n\r\nthis port speaks TLS: use https:\/\/\n$/s
    assert.match(await sendRaw(server.port, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'), expected)
    assert.match(await sendRaw(server.port, `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n${'x'.repeat(5_000_000)}`), expected)
    assert.match(await sendRaw(server.port, '\n'), expected)
  })

  test('a client hello that comes a byte at a time is taken', async (t) => {
    const server = await tlsServer(t)
    const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true })
    const slow = new Duplex({
      read() {},
      async write(chunk: Buffer, _encoding, done) {
        for (let at = 0; at < chunk.length; at++) {
          socket.write(chunk.subarray(at, at + 1))
          if (at < 20) await new Promise((resolve) => setImmediate(resolve))
        }
        done()
      },
      final: (done) => void socket.end(done),
      destroy: (error, done) => {
        socket.destroy()
        done(error)
      },
    })
    socket.on('data', (chunk) => slow.push(chunk)).on('end', () => slow.push(null))
    const secure = tlsConnect({ socket: slow, servername: 'localhost', ca: readFileSync(authority().cert) })
    t.after(() => slow.destroy())
    await once(secure, 'secureConnect')
    assert.is(told(await ask(secure)).scheme, 'https')
  })

  test('handshakes that fail, break off or never begin cost nobody else anything, and are a debug line each', async (t) => {
    const folder = tempFolder(t)
    const { cert, key } = issue()
    const running = startProcess(t, [folder.write('app.mjs', `export default ${answering('fine')}`), '--port', '0', '--log-level', 'debug', '--tls-cert', cert, '--tls-key', key, '--tls-handshake-timeout', '0.3'])
    const [, url = ''] = await running.output(/ on (https:\S+) \(/)
    const port = Number(new URL(url).port)
    await sendRaw(port, Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5])).catch(() => '')
    await running.output(/^debug: 127\.0\.0\.1 TLS handshake failed: ERR_SSL_/m)
    const broken = connect(port, '127.0.0.1')
    broken.write(await clientHello())
    await once(broken, 'data')
    broken.resetAndDestroy()
    await running.output(/^debug: 127\.0\.0\.1 TLS handshake failed: ECONNRESET$/m)
    await sendRaw(port, 'GET')
    await running.output(/^debug: 127\.0\.0\.1 TLS handshake failed: the client does not speak TLS$/m)
    const started = performance.now()
    assert.is(await sendRaw(port, ''), '')
    assert.is(await sendRaw(port, Buffer.from([0x16, 3, 1, 2])), '')
    const took = performance.now() - started
    assert.ok(took > 550 && took < 3000, `both were cut off after their time: ${took}`)
    assert.is(running.stdout.match(/^debug: .*not done within 0\.3 seconds$/gm)?.length, 2)
    const { stdout } = await runProgram('curl', ['-sS', '--cacert', authority().cert, url])
    assert.is(stdout, 'fine')
    running.kill('SIGTERM')
    const ended = await running.ended
    assert.equal([ended.code, ended.stderr], [0, ''])
    assert.is(ended.stdout.match(/handshake failed/g)?.length, 5, 'one line each')
  }, 20)

  test('close() does not wait for those who never finish their handshake', async (t) => {
    const server = await tlsServer(t, { tlsHandshakeTimeout: 60 })
    const sockets = [connect(server.port, '127.0.0.1'), connect(server.port, '127.0.0.1')]
    for (const socket of sockets) {
      t.after(() => socket.destroy())
      socket.on('error', () => {})
      await once(socket, 'connect')
    }
    sockets[1]?.write(Buffer.from([0x16, 3, 1, 2]))
    await ask(await open(t, server.port))
    const started = performance.now()
    await server.close({ timeout: 20 })
    assert.ok(performance.now() - started < 4000)
  })

  test('certificates that cannot be used: one line that names the file and the reason, exit code 1, and the application never starts', async (t) => {
    const folder = tempFolder(t)
    const app = folder.write('app.mjs', "console.log('app: loaded'); export default async () => {}")
    const { cert, key } = issue()
    const other = issue({ subject: '/CN=other' })
    const locked = issue({ passphrase: 'open sesame' })
    const junk = folder.write('junk.pem', 'no certificate\n')
    const none = join(folder.path, 'none.pem')
    const rows: readonly (readonly [readonly string[], string])[] = [
      [['--tls-cert', none, '--tls-key', key], `cannot read the certificate ${none}: no such file`],
      [['--tls-cert', folder.path, '--tls-key', key], `cannot read the certificate ${folder.path}: it is a folder`],
      [['--tls-cert', junk, '--tls-key', key], `the certificate ${junk} is not a certificate in PEM: PEM routines: no start line`],
      [['--tls-cert', cert, '--tls-key', junk], `the key ${junk} is not a private key in PEM: DECODER routines: unsupported`],
      [['--tls-cert', cert], `the key ${cert} is not a private key in PEM: DECODER routines: unsupported`],
      [['--tls-cert', cert, '--tls-key', none, '--reload'], `cannot read the key ${none}: no such file`],
      [['--tls-cert', cert, '--tls-key', other.key], `the key ${other.key} does not belong to the certificate ${cert}`],
      [['--tls-cert', locked.cert, '--tls-key', locked.key], `the key ${locked.key} is encrypted and needs tlsPassphrase`],
      [['--tls-cert', locked.cert, '--tls-key', locked.key, '--tls-passphrase', 'wrong'], `the key ${locked.key} cannot be decrypted: the passphrase is wrong`],
      [['--tls-cert', cert, '--tls-key', key, '--tls-client-auth', 'required', '--tls-ca', junk], `the authorities ${junk} are not certificates in PEM`],
    ]
    for (const [args, says] of rows) {
      const ended = await runCommand(t, [app, '--port', '0', ...args])
      assert.equal([ended.code, ended.stdout, ended.stderr], [1, '', `tsgi: ${says}\n`])
    }
    chmodSync(junk, 0)
    if (process.getuid?.() !== 0) assert.match((await runCommand(t, [app, '--tls-cert', junk])).stderr, /permission denied/)
    await rejects(serve(scopeTeller, { port: 0, tlsCert: none }), (error: unknown) => error instanceof TlsFailed && error.code === 'ERR_TSGI_TLS' && error.cause instanceof Error)
  }, 60)
})

test('options of TLS that do not go together are refused', () => {
  const rows: readonly (readonly [ServerOptions, RegExp])[] = [
    [{ bind: ['http://a:1', 'https://a:2'] }, /^bind must be http:\/\/ while no tlsCert is given, found "https:\/\/a:2"/],
    [{ bind: ['http://a:1', 'unix:/x'], tlsCert: 'c' }, /^tlsCert must be given with an https:\/\/ address only .*, found "c"/],
    [{ uds: '/x', tlsCert: 'c' }, /^tlsCert must be/],
    [{ fd: 3, tlsCert: 'c' }, /^tlsCert must be/],
    [{ tlsKey: 'k' }, /^tlsKey must be given with tlsCert only/],
    [{ tlsPassphrase: 'secret' }, /^tlsPassphrase must be given with tlsCert only, found "…"$/],
    [{ tlsClientAuth: 'required' }, /^tlsClientAuth must be none where no tlsCert is given/],
    [{ tlsCert: 'c', tlsClientAuth: 'optional' }, /^tlsClientAuth must be none where no tlsCa is given/],
    [{ tlsCert: 'c', tlsCa: 'a' }, /^tlsCa must be given with tlsClientAuth/],
    [{ tlsCert: 'c', tlsCiphers: 'NOPE' }, /^tlsCiphers must be a list of cipher suites that OpenSSL knows/],
    [{ tlsCert: '' }, /^tlsCert must be the path of a file/],
    [{ tlsCert: 'c', tlsContexts: { 'a b': { cert: 'c' } } }, /^tlsContexts must be an object whose keys are names/],
    [{ tlsCert: 'c', tlsContexts: { 'a.*': { cert: 'c' } } }, /^tlsContexts must be/],
    [{ tlsContexts: {} }, /^tlsContexts must be given with tlsCert only/],
  ]
  for (const [options, says] of rows) {
    assert.throws(() => completeOptions(options), (error: Error) => error instanceof InvalidOption && says.test(error.message), JSON.stringify(options))
  }
  assert.throws(() => new Server(scopeTeller, { tlsMinVersion: 'TLSv1.1' as 'TLSv1.2' }), (error: Error) => /^tlsMinVersion must be one of TLSv1.2, TLSv1.3/.test(error.message))
})

test.run()
