import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, getCiphers, type ConnectionOptions } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import * as assert from 'uvu/assert'
import { cipherSuites } from '../../lib/server/cipher-suites.ts'
import { subjectName } from '../../lib/server/distinguished-name.ts'
import type { Server } from '../../lib/index.ts'
import { authority, issue, openssl, type Issued } from '../support/certificates.ts'
import { startProcess, tempFolder } from '../support/command.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { runProgram, tlsServer, type Told } from '../support/tls-server.ts'

const test = suite('the tls extension')

const CIPHER = { 'TLSv1.2': 'ECDHE-ECDSA-AES256-GCM-SHA384', 'TLSv1.3': 'TLS_CHACHA20_POLY1305_SHA256' } as const

async function tell(t: TestContext, server: Server & { readonly port: number }, options: ConnectionOptions = {}): Promise<Told> {
  const socket = connect({ port: server.port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(authority().cert), ...options })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Told
}

function withCertificate({ cert, key }: Issued): ConnectionOptions {
  return { cert: readFileSync(cert), key: readFileSync(key) }
}

/** A certificate and those that are sent after it. */
function withChain({ cert, key }: Issued, ...others: readonly Issued[]): ConnectionOptions {
  return { cert: Buffer.concat([cert, ...others.map((other) => other.cert)].map((file) => readFileSync(file))), key: readFileSync(key) }
}

/** `openssl s_client` that asks for `/`; what the server answered. */
async function sClient(port: number, args: readonly string[], input = 'GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'): Promise<{ code: number; stdout: string; stderr: string }> {
  return runProgram('openssl', ['s_client', '-quiet', '-no_ign_eof', '-ign_eof', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost', '-CAfile', authority().cert, '-verify_return_error', ...args], input)
}

test('the table of cipher suites has all that Node can negotiate with a certificate', () => {
  const known = new Set(Object.keys(cipherSuites).map((name) => name.toLowerCase()))
  assert.equal(getCiphers().filter((name) => !/psk|srp/.test(name) && !known.has(name)), [])
  assert.is(new Set(Object.values(cipherSuites)).size, Object.keys(cipherSuites).length)
})

test.needing(['openssl', 'curl'], () => {
  test('RFC 4514: the name begins with the last relative name, and is escaped', () => {
    const rows: readonly (readonly [string, string])[] = [
      ['/C=DE/ST=Bayern/L=München/O=Example/OU=Dev/CN=ann', 'CN=ann,OU=Dev,O=Example,L=München,ST=Bayern,C=DE'],
      ['/DC=org/DC=example/UID=ann', 'UID=ann,DC=example,DC=org'],
      ['/CN=a,b;c<d>e"f\\+g\\\\h=i', 'CN=a\\,b\\;c\\<d\\>e\\"f\\+g\\\\h=i'],
      ['/CN=#hash/O= both ', 'O=\\ both\\ ,CN=\\#hash'],
      ['/O= /CN=a # b', 'CN=a # b,O=\\ '],
      ['/CN=ann+UID=7/O=x', 'O=x,CN=ann+UID=7'],
      ['/CN=two\nlines', 'CN=two\\0alines'],
      ['/CN=\u{1f511}', 'CN=\u{1f511}'],
      ['/emailAddress=a@b.c/CN=ann', `CN=ann,1.2.840.113549.1.9.1=#1605${Buffer.from('a@b.c').toString('hex')}`],
      ['/serialNumber=7', '2.5.4.5=#130137'],
      ['/street=Long Street 1', 'STREET=Long Street 1'],
    ]
    for (const [subject, name] of rows) {
      const { raw } = new X509Certificate(issue({ subject, by: null }).pem)
      const found = subjectName(raw)
      // The parts of one relative name stand in the order of their DER.
      const sorted = (text: string): string => text.split(',').map((each) => (each.includes('UID=7') ? each.split('+').sort().join('+') : each)).join(',')
      assert.is(sorted(found), sorted(name), subject)
    }
  })

  test('the name is the one that openssl writes with -nameopt RFC2253', () => {
    for (const subject of ['/C=DE/O=A\\, B/CN=ann', '/O=x+OU=y+CN=z/L=here', '/CN= #a;/DC=q"uote', '/CN=back\\\\slash\\+plus']) {
      const { cert, pem } = issue({ subject, by: null })
      const sorted = (text: string): string => text.split(',').map((each) => each.split('+').sort().join('+')).join(',')
      const said = openssl('x509', '-in', cert, '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8').trim().replace(/^subject=/, '')
      // OpenSSL turns the parts of one relative name round too; RFC 4514 2.2 allows any order.
      assert.is(sorted(subjectName(new X509Certificate(pem).raw)), sorted(said), subject)
    }
  })

  test('what is no DER is refused by the reader of names, never read beyond its end', () => {
    const { raw } = new X509Certificate(issue().pem)
    for (let length = 0; length < raw.length; length += 7) assert.throws(() => subjectName(raw.subarray(0, length)))
    const random = Buffer.from(raw)
    for (let at = 0; at < random.length; at++) {
      const byte = random[at] ?? 0
      random[at] = byte ^ 0x80
      try {
        assert.type(subjectName(random), 'string')
      } catch (error) {
        assert.instance(error, Error)
      }
      random[at] = byte
    }
  })

  test('version and cipher suite come as their numbers, the server\'s certificate in PEM, and nothing of a client without one', async (t) => {
    const server = await tlsServer(t)
    for (const [version, number, suite] of [['TLSv1.2', 0x0303, 0xc02c], ['TLSv1.3', 0x0304, 0x1303]] as const) {
      const { tls } = await tell(t, server, { minVersion: version, maxVersion: version, ciphers: CIPHER[version] })
      assert.equal(tls, { serverCert: issue().pem, clientCertChain: [], clientCertName: null, clientCertError: null, tlsVersion: number, cipherSuite: suite })
    }
  })

  test('a connection without TLS has no tls extension', async (t) => {
    const server = await tlsServer(t, { bind: ['https://127.0.0.1:0', 'http://127.0.0.1:0'] })
    const told = JSON.parse(await (await fetch(server.urls[1] ?? '')).text()) as Told
    assert.equal([told.scheme, told.tls], ['http', null])
  })

  const middle = issue({ subject: '/CN=Middle', by: authority(), authority: true })
  const ann = issue({ subject: '/C=DE/O=A\\, B+OU=Dev/CN=ann', by: middle })
  const stranger = issue({ subject: '/CN=stranger', by: null })

  test('tlsClientAuth optional: none, a good one with its chain, and a bad one with the error', async (t) => {
    const server = await tlsServer(t, { tlsClientAuth: 'optional', tlsCa: authority().cert })
    const rows: readonly (readonly [ConnectionOptions, Partial<NonNullable<Told['tls']>>])[] = [
      [{}, { clientCertChain: [], clientCertName: null, clientCertError: null }],
      [withChain(ann, middle),
        { clientCertChain: [ann.pem, middle.pem], clientCertName: 'CN=ann,OU=Dev+O=A\\, B,C=DE', clientCertError: null }],
      [withCertificate(stranger), { clientCertChain: [stranger.pem], clientCertName: 'CN=stranger', clientCertError: 'DEPTH_ZERO_SELF_SIGNED_CERT' }],
      [withCertificate(ann), { clientCertChain: [ann.pem], clientCertName: 'CN=ann,OU=Dev+O=A\\, B,C=DE', clientCertError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }],
    ]
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const [options, expected] of rows) {
        const { tls } = await tell(t, server, { maxVersion, ...options })
        assert.equal({ clientCertChain: tls?.clientCertChain, clientCertName: tls?.clientCertName, clientCertError: tls?.clientCertError }, expected, maxVersion)
      }
    }
  })

  test('the chain is what the client sent, in its order: without the root that only we have, with the one that it sent', async (t) => {
    const lower = issue({ subject: '/CN=Lower', by: middle, authority: true })
    const eve = issue({ subject: '/CN=eve', by: lower })
    for (const tlsClientAuth of ['optional', 'required'] as const) {
      const server = await tlsServer(t, { tlsClientAuth, tlsCa: authority().cert })
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        for (const others of [[lower, middle], [middle, lower], [lower, middle, authority()]]) {
          const { tls } = await tell(t, server, { maxVersion, ...withChain(eve, ...others) })
          assert.equal([tls?.clientCertChain, tls?.clientCertError], [[eve.pem, ...others.map(({ pem }) => pem)], null], `${tlsClientAuth}, ${maxVersion}`)
        }
      }
    }
    // One that cannot be verified is told whole, too.
    const server = await tlsServer(t, { tlsClientAuth: 'optional', tlsCa: authority().cert })
    const { tls } = await tell(t, server, withChain(ann, stranger))
    assert.equal([tls?.clientCertChain, tls?.clientCertError], [[ann.pem, stranger.pem], 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])
  })

  test('a session that is resumed keeps the client\'s name, and its error', async (t) => {
    const server = await tlsServer(t, { tlsClientAuth: 'optional', tlsCa: authority().cert })
    for (const [who, name, error] of [[issue({ subject: '/CN=bob' }), 'CN=bob', null], [stranger, 'CN=stranger', 'DEPTH_ZERO_SELF_SIGNED_CERT']] as const) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const options = { port: server.port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(authority().cert), maxVersion, ...withCertificate(who) }
        const first = connect(options)
        t.after(() => first.destroy())
        const [session] = await Promise.all([once(first, 'session').then(([ticket]) => ticket as Buffer), once(first, 'secureConnect').then(() => first.resume())])
        const second = connect({ ...options, session })
        t.after(() => second.destroy())
        await once(second, 'secureConnect')
        assert.ok(second.isSessionReused(), maxVersion)
        second.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
        let text = ''
        for await (const chunk of second) text += String(chunk)
        const { tls } = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Told
        assert.equal([tls?.clientCertName, tls?.clientCertError, tls?.serverCert], [name, error, issue().pem], maxVersion)
      }
    }
  })

  test('openssl s_client and curl: each mode of tlsClientAuth, and the application prints the client\'s name', async (t) => {
    const folder = tempFolder(t)
    const app = folder.write('app.mjs', `export default async (scope, receive, send) => {
      if (scope.type !== 'http') throw new Error('HTTP only')
      console.log('app: ' + scope.extensions.tls?.clientCertName)
      await send({ type: 'http.response.start', status: 200, headers: [] })
      await send({ type: 'http.response.body', body: 'hello ' + scope.extensions.tls?.clientCertName })
    }`)
    const { cert, key } = issue()
    const bob = issue({ subject: '/C=DE/O=A\\, B/OU=x\\+y+CN=bob' })
    const NAME = 'CN=bob+OU=x\\+y,O=A\\, B,C=DE'
    const good = ['-cert', bob.cert, '-key', bob.key]
    const bad = ['-cert', stranger.cert, '-key', stranger.key]
    for (const mode of ['none', 'optional', 'required'] as const) {
      const auth = mode === 'none' ? [] : ['--tls-ca', authority().cert, '--tls-client-auth', mode]
      const running = startProcess(t, [app, '--port', '0', '--no-access-log', '--log-level', 'debug', '--tls-cert', cert, '--tls-key', key, ...auth])
      const [, url = ''] = await running.output(/ on (https:\S+) \(/)
      const port = Number(new URL(url).port)
      const answers = []
      for (const args of [[], good, bad]) {
        const { stdout } = await sClient(port, args)
        answers.push(/hello (.*)$/.exec(stdout)?.[1] ?? 'refused')
      }
      assert.equal(answers, { none: ['null', 'null', 'null'], optional: ['null', NAME, 'CN=stranger'], required: ['refused', NAME, 'refused'] }[mode], mode)
      const curls = []
      for (const args of [[], ['--cert', bob.cert, '--key', bob.key], ['--cert', stranger.cert, '--key', stranger.key]]) {
        curls.push((await runProgram('curl', ['-sS', '--http1.1', '--cacert', authority().cert, ...args, url])).stdout || 'refused')
      }
      assert.equal(curls.map((text) => text.replace('hello ', '')), answers, mode)
      if (mode === 'required') {
        await running.output(/^debug: 127\.0\.0\.1 TLS handshake failed: the client's certificate was refused: DEPTH_ZERO_SELF_SIGNED_CERT$/m)
        assert.is(running.stderr, '')
      }
      if (mode !== 'none') assert.ok(running.stdout.includes(`app: ${NAME}\n`), mode)
    }
  }, 60)
})

test.run()
