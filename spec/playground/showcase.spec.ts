import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import { serve, type ServerOptions } from '../../lib/index.ts'
import showcase from '../../playground/showcase/app.ts'
import { examples } from '../../playground/showcase/examples.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { openPage, watchTroubles } from './browser.ts'
import { ownDatabase } from './guestbook-driver.ts'
import { openSocket, refusal } from './socket.ts'

const test = suite('playground showcase')

async function start(t: TestContext, options: ServerOptions = {}): Promise<string> {
  const server = await serve(showcase, { port: 0, accessLog: false, lifespan: 'on', ...options })
  t.after(() => server.close({ timeout: 1 }))
  return server.url
}

test('the page has a card, with a link and a try-out, for each example', async (t) => {
  const url = await start(t)
  const page = await (await fetch(url)).text()
  assert.is(page.split('<article').length - 1, examples.length)
  for (const { path, name } of examples) {
    assert.ok(page.includes(`<h2>${name}</h2>`), name)
    assert.ok(page.includes(`href=".${path}"`), path)
    const script = await fetch(`${url}/try${path}.js`)
    assert.is(script.headers.get('content-type'), 'text/javascript; charset=utf-8', path)
    assert.ok((await script.text()).includes('export function tryOut'), path)
  }
})

test('an example is mounted: it answers beneath its path, and for no other', async (t) => {
  const url = await start(t)
  for (const path of ['/hello', '/hello/', '/hello/more']) assert.is(await (await fetch(url + path)).text(), 'Hello, world!\n', path)
  assert.is((await fetch(`${url}/helloo`)).status, 404)
})

test('an example is mounted for WebSockets as well as for HTTP, and the page refuses them', async (t) => {
  const url = (await start(t)).replace('http', 'ws')
  const echo = await openSocket(t, `${url}/websocket-echo`)
  echo.send('Hello')
  assert.is(await echo.next(), 'Hello')
  for (const path of ['/', '/nothing', '/websocket-echoo', '/chat', '/chat/', '/chat/page']) {
    assert.is(await refusal(t, url + path), 403, path)
  }
})

test('with a root path the showcase works as without', async (t) => {
  const url = await start(t, { rootPath: '/shop' })
  assert.match(await (await fetch(url)).text(), /<article/)
  assert.is(await (await fetch(`${url}/hello`)).text(), 'Hello, world!\n')
  const echo = await openSocket(t, `${url.replace('http', 'ws')}/websocket-echo`)
  echo.send('Hello')
  assert.is(await echo.next(), 'Hello')
})

test('what is not there is a 404 that says what there is', async (t) => {
  const url = await start(t)
  for (const path of ['/nothing', '/index.html', '/..%2fapp.ts', '/page/style.css']) {
    const response = await fetch(url + path)
    assert.is(response.status, 404, path)
    assert.ok((await response.text()).includes('/echo'), path)
  }
})

test('the page comes with early hints, on HTTP/1.1 only', async (t) => {
  const { port } = new URL(await start(t))
  for (const [version, first] of [['1.1', 'HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload; as=style\r\n'], ['1.0', 'HTTP/1.1 200 OK\r\n']] as const) {
    const socket = connect(Number(port), '127.0.0.1').setEncoding('latin1')
    t.after(() => socket.destroy())
    let text = ''
    socket.on('data', (part: string) => (text += part))
    socket.write(`GET / HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`)
    await once(socket, 'end')
    assert.is(text.slice(0, first.length), first)
    assert.match(text, /<\/html>\n$/)
  }
})

test.needing(['chromium'], () => {
  test('in a browser, each card can be tried', async (t) => {
    ownDatabase(t)
    let left = false
    let leaves!: () => void
    const hasLeft = new Promise<void>((resolve) => (leaves = resolve))
    const url = await start(t, {
      observer: {
        finished: ({ scope }) => {
          if (scope.path !== '/sse') return
          left = true
          leaves()
        },
      },
    })
    const page = await openPage(t)
    const troubles = watchTroubles(page)
    await page.goto(url)
    assert.is(await page.locator('.card').count(), examples.length)
    const card = (path: string) => page.locator(`.card[data-path="${path}"]`)

    await card('/hello').getByRole('button', { name: 'Say hello' }).click()
    await shows(page, '/hello', 'Hello, world!')
    assert.match(await card('/hello').locator('.note').innerText(), /^200 in [\d.]+ ms$/)

    await card('/echo').getByRole('textbox').pressSequentially('What goes in, grüße')
    await shows(page, '/echo', 'What goes in, grüße')
    await card('/echo').getByRole('textbox').fill('')
    await shows(page, '/echo', '')

    await shows(page, '/sse', /^\d+:\d\d:\d\d/)
    const time = await card('/sse').locator('output').innerText()
    await page.waitForFunction(`document.querySelector('[data-path="/sse"] output').value !== ${JSON.stringify(time)}`)
    assert.is(left, false)
    await card('/sse').getByRole('button', { name: 'Leave' }).click()
    await hasLeft
    await card('/sse').getByRole('button', { name: 'Listen' }).click()
    await card('/sse').getByText('1 tick so far').waitFor()

    const buffer = Buffer.alloc(8_000_000, 'tsgi')
    await card('/upload').locator('input').setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer })
    await card('/upload').getByRole('button', { name: 'Upload', exact: true }).click()
    await shows(page, '/upload', `8,000,000 bytes\nSHA-256 ${createHash('sha256').update(buffer).digest('hex')}`)
    assert.is(await card('/upload').locator('progress').evaluate((bar: { readonly value?: number }) => bar.value), 1)

    await card('/websocket-echo').getByRole('textbox').fill('Grüße, echo')
    await card('/websocket-echo').getByRole('button', { name: 'Send', exact: true }).click()
    await shows(page, '/websocket-echo', 'Grüße, echo')
    await card('/websocket-echo').getByRole('button', { name: 'Send 1,000 at once' }).click()
    await card('/websocket-echo').getByText('1,000 back in').waitFor()

    await card('/chat').getByRole('button', { name: 'Let Ada and Ben in' }).click()
    await shows(page, '/chat', 'Ada is here')
    await card('/chat').getByRole('textbox').fill('Hello Ben')
    await card('/chat').getByRole('button', { name: 'Send', exact: true }).click()
    await shows(page, '/chat', 'Ada is here\nAda: Hello Ben')

    for (const [button, thread] of [['Block the loop', '0'], ['Block a thread', '[1-9]\\d*']] as const) {
      await card('/blocking').getByRole('button', { name: button }).click()
      await shows(page, '/blocking', new RegExp(`^scryptSync took \\d+ ms on thread ${thread}\\.\nThe clock was silent for \\d+ ms at most\\.$`))
    }

    await card('/sync-calls-async').getByRole('button', { name: 'Make the report' }).click()
    await shows(page, '/sync-calls-async', /^lisbon .* EUR\noslo .* EUR\nquito +no figures: 503 .*\nsapporo .* EUR\n\nMade on thread \d/)

    await card('/guestbook').getByRole('textbox').fill('Hello <b>book</b>, grüße')
    await card('/guestbook').getByRole('button', { name: 'Sign the book' }).click()
    await shows(page, '/guestbook', 'Thank you for signing. You may add a picture below.\nHello <b>book</b>, grüße')

    assert.equal(troubles, [])
  }, 45)

  test('in a browser, the page of upload works by itself, and nothing is wider than a phone', async (t) => {
    const url = await start(t)
    const page = await openPage(t)
    await page.setViewportSize({ width: 360, height: 700 })
    for (const path of ['/', '/upload']) {
      await page.goto(url + path)
      await page.locator('input[type=file]').waitFor()
      assert.is(await page.evaluate('document.documentElement.scrollWidth'), 360, path)
    }
    await page.locator('input').setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('abc') })
    await page.getByRole('button', { name: 'Upload', exact: true }).click()
    await page.getByText('"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"').waitFor()
  }, 30)
})

/** Waits until the output of a card has this value. */
async function shows(page: Page, path: string, wanted: string | RegExp): Promise<void> {
  const pattern = typeof wanted === 'string' ? new RegExp(`^${wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\n?$`) : wanted
  // A text, because this project's types are Node's and know no document.
  await page.waitForFunction(`${pattern}.test(document.querySelector('[data-path="${path}"] output').value)`)
}

test.run()
