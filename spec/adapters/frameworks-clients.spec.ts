/** Applications of four frameworks answer curl, fetch and Chromium on tsgi as on their framework's own server. */
import * as assert from 'uvu/assert'
import { serve } from '../../lib/index.ts'
import { openBrowser } from '../playground/browser.ts'
import { issue } from '../support/certificates.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { frameworks, type Framework } from './frameworks.ts'
import { byCurl, byFetch, byPage, type Told } from './framework-clients.ts'
import type { Ask } from './node/hosts.ts'

const test = suite('frameworks and clients')

/** Listens with tsgi; gives the origin. */
async function onTsgi(t: TestContext, { app }: Framework, tls: boolean): Promise<string> {
  const { cert, key } = issue()
  const server = await serve(await app(t), { port: 0, accessLog: false, logLevel: 'error', ...(tls ? { tlsCert: cert, tlsKey: key } : {}) })
  t.after(() => server.close({ timeout: 1 }))
  return server.url
}

/** Asks both hosts, and compares answer by answer. */
async function compare(t: TestContext, framework: Framework, tls: boolean, version: string, client: (origin: string, asks: readonly Ask[]) => Promise<readonly Told[]>, asks: readonly Ask[] = framework.asks): Promise<void> {
  const expected = await client(await framework.own(t, tls), asks)
  const found = await client(await onTsgi(t, framework, tls), asks)
  assert.is(found.length, asks.length)
  for (const [index, { method = 'GET', path }] of asks.entries()) {
    const { version: spoken, ...answer } = withoutLength(found[index] as Told, expected[index] as Told)
    const { version: _, ...wanted } = expected[index] as Told
    assert.equal(answer, wanted, `${framework.name}: ${method} ${path}`)
    assert.is(spoken, version)
  }
}

/** A right `content-length`, where the other host frames the body in chunks or by the end of the stream. */
function withoutLength(answer: Told, other: Told): Told {
  if (other.headers.some(([name]) => name === 'content-length')) return answer
  return { ...answer, headers: answer.headers.filter(([name, value]) => name !== 'content-length' || value !== String(answer.body.length)) }
}

const except = (path: string, { asks }: Framework): readonly Ask[] => asks.filter((ask) => ask.path.split('?', 1)[0] !== path)

for (const framework of frameworks) {
  test(`${framework.name}: ${framework.asks.length} requests of fetch`, async (t) => {
    // The fetch of Node 20 takes an interim response that it did not ask for as a failure.
    await compare(t, framework, false, '1.1', byFetch, except('/interim', framework))
  }, 30)

  test.needing(['curl', 'openssl'], () => {
    test(`${framework.name}: ${framework.asks.length} requests of curl over HTTP/1.1, and over HTTP/2 with TLS`, async (t) => {
      await compare(t, framework, false, '1.1', (origin, asks) => byCurl(origin, asks, 'http1.1'))
      await compare(t, framework, true, '2', (origin, asks) => byCurl(origin, asks, 'http2'))
    }, 30)
  })
}

test.needing(['chromium', 'openssl'], () => {
  test('all of them: the requests of a page in Chromium over HTTP/1.1, and over HTTP/2 with TLS', async (t) => {
    const browser = await openBrowser(t, { ignoreHTTPSErrors: true })
    const page = browser.pages()[0] ?? await browser.newPage()
    const ask = (origin: string, asks: readonly Ask[]): Promise<readonly Told[]> => byPage(page, origin, asks)
    for (const framework of frameworks) {
      await compare(t, framework, false, 'http/1.1', ask)
      // Chromium sends fields over HTTP/2 that it does not send over HTTP/1.1, and this answer tells them all.
      await compare(t, framework, true, 'h2', ask, framework.http2 ? framework.asks : except('/request', framework))
    }
    await page.goto('about:blank')
  }, 90)
})

test.run()
