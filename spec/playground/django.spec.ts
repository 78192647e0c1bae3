/** A Django site on real uWSGI behind `fromUwsgi`: a form and the admin, in a browser over HTTP/2. The example starts uWSGI. */
import { createHash } from 'node:crypto'
import { connect } from 'node:http2'
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { UnsupportedScope, type Application } from 'tsgi'
import { mount } from 'tsgi/middleware'
import django from '../../playground/django/app.ts'
import { authority } from '../support/certificates.ts'
import { suite } from '../support/suite.ts'
import { tlsServer } from '../support/tls-server.ts'
import { openBrowser, watchTroubles } from './browser.ts'

const test = suite('Django behind fromUwsgi')
const needed = ['uwsgi_python3', '/usr/bin/python3:django', 'openssl']

test.needing([...needed, 'chromium'], () => {
  test('a form and the admin work in Chromium over HTTP/2 and TLS, at the root and where it is mounted', async (t) => {
    // What a browser asks for by itself.
    const other: Application = async (scope, _receive, send) => {
      if (scope.type !== 'http') throw new UnsupportedScope(scope.type)
      await send({ type: 'http.response.start', status: scope.path === '/favicon.ico' ? 204 : 404 })
      await send({ type: 'http.response.body' })
    }
    const app = mount({ '/django': django }, other)
    for (const [site, prefix] of [[django, ''], [app, '/django']] as const) {
      const { port } = await tlsServer(t, {}, site)
      const browser = await openBrowser(t, { ignoreHTTPSErrors: true })
      const page = await browser.newPage()
      const troubles = watchTroubles(page)
      const protocols = new Set<string>()
      const developer = await browser.newCDPSession(page)
      await developer.send('Network.enable')
      developer.on('Network.responseReceived', ({ response }) => protocols.add(response.protocol ?? ''))

      const home = `https://localhost:${port}${prefix}/`
      await page.goto(home)
      await page.fill('input[name=name]', 'Ada <b>')
      await page.fill('input[name=words]', 'Grüße, 你好')
      await page.click('button')
      await page.waitForSelector('[role=status]')
      assert.is(page.url(), home)
      assert.is(await page.textContent('[role=status]'), 'Thank you, Ada <b>.')
      assert.is(await page.textContent('li'), 'Ada <b>: Grüße, 你好')

      await page.goto(`${home}admin/`)
      await page.fill('input[name=username]', 'admin')
      await page.fill('input[name=password]', 'admin')
      await page.click('input[type=submit]')
      await page.waitForSelector('#user-tools')
      assert.is(page.url(), `${home}admin/`)
      // The admin's own files came: its header has the colour of its style sheet.
      assert.is(await page.evaluate('getComputedStyle(document.querySelector("#header")).backgroundColor'), 'rgb(65, 118, 144)')
      await page.click('a[href$="/guests/guest/"]')
      await page.click('.results th.field-name a')
      assert.is(await page.inputValue('input[name=words]'), 'Grüße, 你好')
      await page.fill('input[name=words]', 'changed')
      await page.click('input[name=_save]')
      await page.waitForSelector('.messagelist')
      await page.goto(home)
      assert.is(await page.textContent('li'), 'Ada <b>: changed')
      assert.equal([...protocols], ['h2'])
      assert.equal(troubles.filter((each) => !each.endsWith('/favicon.ico')), [])
      await browser.close()
    }
  }, 90)
})

test.needing(needed, () => {
  test('an upload of 16 MiB over HTTP/2, with a length and without: Django reads it whole, and sees https', async (t) => {
    const server = await tlsServer(t, {}, django)
    const session = connect(`https://localhost:${server.port}`, { ca: readFileSync(authority().cert) })
    t.after(() => session.destroy())
    const bytes = Buffer.alloc(16 * 2 ** 20, 'tsgi')
    for (const length of [{ 'content-length': bytes.length }, {}]) {
      const stream = session.request({ ':method': 'POST', ':path': '/upload?x', ...length })
      stream.end(bytes)
      let text = ''
      for await (const part of stream.setEncoding('utf8')) text += part as string
      assert.equal(JSON.parse(text), {
        size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'),
        scheme: 'https', host: `localhost:${server.port}`, path: '/upload', protocol: 'HTTP/2',
      })
    }
  }, 60)
})

test.run()
