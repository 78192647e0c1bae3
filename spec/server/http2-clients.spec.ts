/** Other people's clients on one server that speaks HTTP/1.1 and HTTP/2, with TLS and without: what they send and hear. */
import { execFile } from 'node:child_process'
import { connect, type ClientHttp2Stream } from 'node:http2'
import * as assert from 'uvu/assert'
import { application, bodyChunks, ClientDisconnected, disconnectSignal, serve, type Application, type ExchangeOutcome, type HttpScope, type WebSocketScope } from '../../lib/index.ts'
import { openBrowser } from '../playground/browser.ts'
import { authority, issue } from '../support/certificates.ts'
import { deferred } from '../support/deferred.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { runProgram } from '../support/tls-server.ts'

const test = suite('HTTP/2 clients')
const start = { type: 'http.response.start', status: 200 } as const

/** Tells what it was sent, with trailers. */
const teller: Application = application({
  http: async (scope, receive, send) => {
    let size = 0
    let trailers: unknown = null
    for (;;) {
      const event = await receive()
      if (event.type !== 'http.request') return
      size += event.body.length
      trailers = event.trailers === null ? null : [...event.trailers]
      if (!event.moreBody) break
    }
    const { httpVersion, scheme, method, rawPath, headers } = scope
    await send({ ...start, headers: [['content-type', 'application/json'], ['connection', 'close'], ['x-a', '1'], ['x-a', '2']], trailers: true })
    await send({ type: 'http.response.body', body: JSON.stringify({ httpVersion, scheme, method, rawPath, size, trailers, headers: [...headers] }) })
    await send({ type: 'http.response.trailers', headers: [['x-sum', String(size)]] })
  },
})

interface Told extends Pick<HttpScope, 'httpVersion' | 'scheme' | 'method' | 'rawPath'> {
  readonly size: number
  readonly trailers: readonly (readonly [string, string])[] | null
  readonly headers: readonly (readonly [string, string])[]
}

/** One server with a port for each; gives their URLs. */
async function open(t: TestContext, app: Application = teller, finished?: (exchange: ExchangeOutcome) => void): Promise<{ readonly http: string; readonly https: string }> {
  const { cert, key } = issue()
  const server = await serve(app, {
    bind: ['http://127.0.0.1:0', 'https://127.0.0.1:0'], tlsCert: cert, tlsKey: key, accessLog: false, logLevel: 'error',
    ...(finished === undefined ? {} : { observer: { finished } }),
  })
  t.after(() => server.close({ timeout: 1 }))
  const [http = '', https = ''] = server.urls
  return { http, https }
}

/** Runs a program that is expected to succeed; gives what it prints. */
async function succeeds(file: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram(file, args, input)
  assert.is(code, 0, `${file} ${args.join(' ')}\n${stdout}\n${stderr}`)
  return stdout
}

test.needing(['curl', 'openssl'], () => {
  const curl = async (...args: readonly string[]): Promise<readonly [Told, string]> => {
    const [body = '', version = ''] = (await succeeds('curl', ['-sS', '--cacert', authority().cert, '-w', '\n%{http_version}', ...args])).split('\n')
    return [JSON.parse(body) as Told, version]
  }

  test('curl: prior knowledge, ALPN and HTTP/1.1 on the ports of one server', async (t) => {
    const { http, https } = await open(t)
    const rows: readonly (readonly [string, readonly string[], string])[] = [
      [http, ['--http2-prior-knowledge'], '2'],
      [http, ['--http1.1'], '1.1'],
      [http, ['--http2'], '1.1'],
      [http, [], '1.1'],
      [https, ['--http2'], '2'],
      [https, ['--http2-prior-knowledge'], '2'],
      [https, ['--http1.1'], '1.1'],
      [https, ['--no-alpn'], '1.1'],
      [https, [], '2'],
    ]
    for (const [url, flags, version] of rows) {
      const [told, shown] = await curl(...flags, `${url}/a?b`)
      const what = `${url} ${flags.join(' ')}`
      assert.equal([told.httpVersion, shown], [version, version], what)
      assert.equal([told.scheme, told.rawPath, told.headers[0]?.[0]], [url === https ? 'https' : 'http', '/a', 'host'], what)
      assert.is(told.headers[0]?.[1], url.slice(url.indexOf('//') + 2), what)
    }
  }, 30)

  test('RFC 9113 3.1: `upgrade: h2c` is answered over HTTP/1.1', async (t) => {
    const { http } = await open(t)
    const head = await succeeds('curl', ['-sSi', '--http2', http])
    assert.match(head, /^HTTP\/1\.1 200 /)
    const [told, version] = await curl('--http2', http)
    assert.is(version, '1.1')
    assert.is(told.headers.find(([name]) => name === 'upgrade')?.[1], 'h2c')
  })

  test('curl: 1 MiB of body, with `expect: 100-continue` and without', async (t) => {
    const { http, https } = await open(t)
    for (const [url, ...flags] of [[http, '--http2-prior-knowledge'], [https, '--http2'], [https, '--http1.1']] as const) {
      for (const expect of ['expect:', 'expect: 100-continue']) {
        const args = ['-sS', '--cacert', authority().cert, ...flags, '-H', expect, '--data-binary', '@-', url]
        const told = JSON.parse(await succeeds('curl', args, 'x'.repeat(2 ** 20))) as Told
        assert.equal([told.method, told.size], ['POST', 2 ** 20], `${flags.join(' ')} ${expect}`)
      }
    }
  }, 20)

  test('fields that node:http2 takes for single come as often as they are sent; cookies come as one', async (t) => {
    const { http } = await open(t)
    const fields = ['from: a', 'from: b', 'if-match: "x"', 'if-match: "y"', 'age: 1', 'age: 2', 'cookie: a=1', 'cookie: b=2']
    const [told] = await curl('--http2-prior-knowledge', ...fields.flatMap((field) => ['-H', field]), http)
    const sent = told.headers.filter(([name]) => ['from', 'if-match', 'age', 'cookie'].includes(name))
    assert.equal(sent, [['from', 'a'], ['from', 'b'], ['if-match', '"x"'], ['if-match', '"y"'], ['age', '1'], ['age', '2'], ['cookie', 'a=1; b=2']])
  })

  test('curl: several URLs over one connection, though each answer says `connection: close`', async (t) => {
    const { https } = await open(t)
    const out = await succeeds('curl', ['-sS', '--cacert', authority().cert, '-w', '%{num_connects}\n', '-o', '/dev/null', '-o', '/dev/null', '-o', '/dev/null', https, https, https])
    assert.equal(out.trim().split('\n'), ['1', '0', '0'])
  })
})

test.needing(['nghttp', 'h2load', 'openssl'], () => {
  test('nghttp: trailers both ways', async (t) => {
    const { http, https } = await open(t)
    for (const url of [http, https]) {
      const out = await succeeds('nghttp', ['-v', '--no-dep', '-H', 'te: trailers', '--trailer', 'x-sum: 6', '--trailer', 'x-more: y', '-d', import.meta.filename, url])
      const told = JSON.parse(out.split('\n').find((line) => line.includes('"httpVersion"'))?.replace(/^[^{]*/, '').replace(/[^}]*$/, '') ?? '{}') as Told
      assert.equal(told.trailers, [['x-sum', '6'], ['x-more', 'y']])
      assert.is(told.httpVersion, '2')
      assert.match(out, new RegExp(`x-sum: ${told.size}\\b`))
      assert.not.match(out, /RST_STREAM|connection: close/)
    }
  })

  for (const streams of [1, 128]) {
    test(`h2load: 100,000 requests over ${streams === 1 ? 'one stream' : `${streams} streams`} at a time, none fails`, async (t) => {
      const { http } = await open(t, application({
        http: async (_scope, _receive, send) => {
          await send({ ...start, headers: [['content-type', 'text/plain']] })
          await send({ type: 'http.response.body', body: 'Hello, world!' })
        },
      }))
      const requests = 100_000
      const out = await load(['-n', String(requests), '-c', streams === 1 ? '4' : '1', '-m', String(streams), http])
      assert.match(out, `requests: ${requests} total, ${requests} started, ${requests} done, ${requests} succeeded, 0 failed, 0 errored, 0 timeout`, out)
      assert.match(out, `status codes: ${requests} 2xx, 0 3xx, 0 4xx, 0 5xx`, out)
    }, 60)
  }
})

/** Runs h2load, which takes longer than other programs. */
async function load(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('h2load', args, { encoding: 'utf8', timeout: 55_000 }, (error, stdout, stderr) => error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`)))
  })
}

test.needing(['chromium', 'openssl'], () => {
  test('Chromium over TLS: a page, a POST and server-sent events, all over h2', async (t) => {
    const left = deferred<unknown>()
    const { https } = await open(t, application({
      http: async (scope, receive, send) => {
        if (scope.path === '/') {
          await send({ ...start, headers: [['content-type', 'text/html; charset=utf-8'], ['link', '</a.js>'], ['link', '</b.js>']] })
          await send({ type: 'http.response.body', body: '<!doctype html><title>h2</title><link rel="icon" href="data:,"><h1>grün</h1>' })
        } else if (scope.path === '/post') {
          let size = 0
          for await (const chunk of bodyChunks(receive)) size += chunk.length
          await send({ ...start, headers: [['content-type', 'text/plain']] })
          await send({ type: 'http.response.body', body: `${scope.method} ${size} over ${scope.httpVersion}` })
        } else {
          const gone = new Promise((resolve) => disconnectSignal(scope).addEventListener('abort', () => resolve(disconnectSignal(scope).reason)))
          await send({ ...start, headers: [['content-type', 'text/event-stream']] })
          for (const each of ['one', 'two', 'three']) await send({ type: 'http.response.body', body: `data: ${each}\n\n`, moreBody: true })
          left.resolve(await gone)
          throw new ClientDisconnected()
        }
      },
    }))
    const browser = await openBrowser(t, { ignoreHTTPSErrors: true })
    const page = browser.pages()[0] ?? await browser.newPage()
    const response = await page.goto(https)
    assert.is(response?.status(), 200)
    assert.is(await page.textContent('h1'), 'grün')
    const seen = await page.evaluate(`(async () => {
      const post = await (await fetch('/post', { method: 'POST', body: new Uint8Array(1048576) })).text()
      const events = await new Promise((resolve, reject) => {
        const all = []
        const source = new EventSource('/events')
        source.onerror = () => reject(new Error('the events failed'))
        source.onmessage = ({ data }) => { if (all.push(data) === 3) { source.close(); resolve(all) } }
      })
      const protocols = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map((entry) => [new URL(entry.name).pathname, entry.nextHopProtocol])
      return { post, events, protocols }
    })()`) as { post: string; events: string[]; protocols: [string, string][] }
    assert.is(seen.post, 'POST 1048576 over 2')
    assert.equal(seen.events, ['one', 'two', 'three'])
    assert.equal(seen.protocols.slice(0, 2), [['/', 'h2'], ['/post', 'h2']])
    for (const [path, protocol] of seen.protocols) assert.is(protocol, 'h2', path)
    assert.instance(await left.promise, ClientDisconnected)
  }, 30)
})

test.needing(['chromium', 'openssl'], () => {
  test('Chromium\'s WebSocket rides on the HTTP/2 connection of its page (RFC 8441), and closes cleanly both ways', async (t) => {
    const scopes: WebSocketScope[] = []
    const ends: number[] = []
    const { https } = await open(t, application({
      http: async (_scope, _receive, send) => {
        await send({ ...start, headers: [['content-type', 'text/html']] })
        await send({ type: 'http.response.body', body: '<!doctype html><link rel="icon" href="data:,">' })
      },
      websocket: async (scope, receive, send) => {
        scopes.push(scope)
        await receive()
        await send({ type: 'websocket.accept', subprotocol: scope.subprotocols[0] ?? null })
        for (;;) {
          const event = await receive()
          if (event.type === 'websocket.disconnect') return void ends.push(event.code)
          if (event.type === 'websocket.receive' && event.text === 'bye') return send({ type: 'websocket.close', code: 4001, reason: 'as asked' })
          if (event.type === 'websocket.receive') await send({ type: 'websocket.send', text: event.text, bytes: event.bytes })
        }
      },
    }))
    const browser = await openBrowser(t, { ignoreHTTPSErrors: true })
    const page = browser.pages()[0] ?? await browser.newPage()
    await page.goto(https)
    const seen = await page.evaluate(`(async () => {
      const talk = (words, code) => new Promise((resolve) => {
        const socket = new WebSocket(location.href.replace('https', 'wss') + 'talk', ['a', 'b'])
        const heard = []
        socket.onopen = () => socket.send(words[0])
        socket.onmessage = ({ data }) => {
          heard.push(data.length)
          if (heard.length < words.length) socket.send(words[heard.length])
          else if (code) socket.close(code, 'done')
        }
        socket.onclose = ({ code, reason, wasClean }) => resolve({ heard, code, reason, wasClean, protocol: socket.protocol })
      })
      return [await talk(['grüße', 'x'.repeat(300000)], 4000), await talk(['bye'])]
    })()`)
    assert.equal(seen, [
      { heard: [5, 300_000], code: 4000, reason: 'done', wasClean: true, protocol: 'a' },
      { heard: [], code: 4001, reason: 'as asked', wasClean: true, protocol: 'a' },
    ])
    assert.equal(scopes.map(({ httpVersion, scheme }) => [httpVersion, scheme]), [['2', 'wss'], ['2', 'wss']])
    assert.equal(ends, [4000])
  }, 30)
})

test('Node\'s client that destroys its stream resets it with NO_ERROR: it is gone, whatever the application does', async (t) => {
  const entered = new Map<string, () => void>()
  const ends = new Map<string, (disconnected: boolean) => void>()
  const { http } = await open(t, application({
    http: async (scope, receive, send) => {
      entered.get(scope.path)?.()
      if (scope.path === '/waits') await receive()
      if (scope.path !== '/sends') return void await new Promise((resolve) => disconnectSignal(scope).addEventListener('abort', resolve))
      await send(start)
      for (;;) await send({ type: 'http.response.body', body: Buffer.alloc(30_000), moreBody: true })
    },
  }), ({ scope, disconnected }) => {
    if ('path' in scope) ends.get(scope.path)?.(disconnected)
  })
  const session = connect(http)
  t.after(() => session.destroy())
  for (const [path, body] of [['/waits', 0], ['/reads-nothing', 300_000], ['/sends', 0]] as const) {
    const end = new Promise<boolean>((resolve) => ends.set(path, resolve))
    const begun = new Promise<void>((resolve) => entered.set(path, resolve))
    const stream: ClientHttp2Stream = session.request({ ':path': path, ':method': 'POST' }, { endStream: body === 0 })
    stream.on('error', () => {})
    if (body > 0) stream.write(Buffer.alloc(body))
    await begun
    // The answer to a ping comes after all else that the client has sent.
    await new Promise((resolve) => session.ping(resolve))
    stream.destroy()
    assert.is(await end, true, path)
  }
})

test.run()
