import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import { fromWsgi } from '../../adapters/wsgi/index.ts'
import { serve, UnsupportedScope, type Application } from '../../lib/index.ts'
import { ThreadPool } from '../../lib/threads/index.ts'
import { EXAMPLE_PASSWORD } from '../../playground/guestbook/database.ts'
import clock from '../../playground/sse.ts'
import { issue } from '../support/certificates.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { openBrowser, watchTroubles } from './browser.ts'
import { ownDatabase, png } from './guestbook-driver.ts'

const test = suite('playground guestbook in a browser')

/** Listens to the clock, and remembers what came. */
const clockPage = `<!doctype html>
<title>Clock</title>
<link rel="icon" href="data:,">
<script>
  const ticks = []
  new EventSource('/clock').addEventListener('tick', ({ data }) => { ticks.push(Date.parse(data)) })
</script>`

/** The guestbook on two threads, and beside it the clock, on one server; gives its URLs. */
async function start(t: TestContext): Promise<{ readonly http: string; readonly https: string }> {
  ownDatabase(t)
  const pool = new ThreadPool({ threads: 2 })
  t.after(() => pool.close())
  const book = fromWsgi(new URL('../../playground/guestbook/app.js', import.meta.url), { pool })
  const app: Application = async (scope, receive, send) => {
    if (scope.type !== 'http') throw new UnsupportedScope(scope.type)
    if (scope.path.startsWith('/guestbook')) return book({ ...scope, rootPath: `${scope.rootPath}/guestbook` }, receive, send)
    if (scope.path === '/clock') return clock(scope, receive, send)
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/html']] })
    await send({ type: 'http.response.body', body: clockPage })
  }
  const { cert, key } = issue()
  const server = await serve(app, { bind: ['http://127.0.0.1:0', 'https://127.0.0.1:0'], tlsCert: cert, tlsKey: key, accessLog: false })
  t.after(() => server.close({ timeout: 1 }))
  const [http = '', https = ''] = server.urls
  return { http, https }
}

/** Waits until the clock has ticked so often. */
async function ticks(tab: Page, count: number): Promise<void> {
  await tab.waitForFunction(`ticks.length >= ${count}`, undefined, { timeout: 15_000 })
}

/** Presses a button. */
async function press(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name, exact: true }).click()
}

function names(page: Page): Promise<string[]> {
  return page.locator('article h2').allInnerTexts()
}

test.needing(['chromium', 'openssl'], () => {
  for (const [scheme, protocol] of [['http', 'http/1.1'], ['https', 'h2']] as const) {
    test(`over ${protocol}: sign, mistakes, a picture, pages, search, log in, delete and export, while the clock ticks in another tab`, async (t) => {
      const { [scheme]: url } = await start(t)
      const browser = await openBrowser(t, { ignoreHTTPSErrors: true })
      const tab = await browser.newPage()
      await tab.goto(url)
      await ticks(tab, 1)

      const page = await browser.newPage()
      const troubles = watchTroubles(page)
      await page.goto(`${url}/guestbook`)
      assert.is(page.url(), `${url}/guestbook/`)
      assert.is(await page.evaluate('performance.getEntriesByType("navigation")[0].nextHopProtocol'), protocol)
      assert.is((await names(page)).length, 5)

      await page.getByRole('link', { name: 'Sign the book' }).click()
      await page.getByLabel('Message').fill('<i>Hello</i>, grüße\n🌊')
      await press(page, 'Sign')
      await page.getByText('Please tell your name.').waitFor()
      assert.is(await page.getByLabel('Message').inputValue(), '<i>Hello</i>, grüße\n🌊')
      await page.getByLabel('Name').fill('Ada & Co')
      await page.getByLabel('Where from').fill('Zürich')
      await press(page, 'Sign')
      await page.getByRole('status').getByText('Thank you for signing').waitFor()
      assert.is(page.url(), `${url}/guestbook/entries/13`)
      assert.is(await page.locator('.message').innerText(), '<i>Hello</i>, grüße\n🌊')

      const chooser = page.locator('input[type=file]')
      await chooser.setInputFiles({ name: 'large.png', mimeType: 'image/png', buffer: Buffer.concat([png, Buffer.alloc(4 * 2 ** 20)]) })
      await press(page, 'Upload')
      await page.getByRole('alert').getByText('A picture may have 2 MiB at most.').waitFor()
      await chooser.setInputFiles({ name: 'Ä "q".png', mimeType: 'image/png', buffer: png })
      await press(page, 'Upload')
      await page.getByRole('status').getByText('The picture is in the book.').waitFor()
      await page.waitForFunction('document.querySelector("article img").naturalWidth === 1')
      await page.reload()
      assert.is(await page.getByRole('status').count(), 0)

      await page.getByRole('link', { name: 'All entries' }).click()
      assert.is((await names(page))[0], 'Ada & Co')
      for (const number of [2, 3]) {
        await page.getByRole('link', { name: 'Older' }).click()
        await page.getByText(`Page ${number} of 3`).waitFor()
      }
      assert.is((await names(page)).at(-1), 'Marta')
      await page.goto(`${url}/guestbook/`)
      await page.getByRole('searchbox').fill('grüße')
      await page.getByRole('searchbox').press('Enter')
      await page.getByText('1 entry with').waitFor()
      assert.equal(await names(page), ['Ada & Co'])

      await page.getByRole('link', { name: 'Log in' }).click()
      await page.getByLabel('Password').fill('guess')
      await press(page, 'Log in')
      await page.getByRole('alert').getByText('That is not the password.').waitFor()
      await page.getByLabel('Password').fill(EXAMPLE_PASSWORD)
      await press(page, 'Log in')
      await page.getByText('Welcome back.').waitFor()
      await page.getByRole('button', { name: 'Delete the entry by Aroha' }).click()
      await page.getByText('The entry by Aroha is deleted.').waitFor()
      assert.equal((await names(page)).slice(0, 2), ['Ada & Co', 'Zoë'])

      const download = page.waitForEvent('download')
      await page.getByRole('link', { name: 'Export as CSV' }).click()
      const file = await download
      assert.is(file.suggestedFilename(), 'guestbook.csv')
      const rows = readFileSync(await file.path(), 'utf8').split('\r\n')
      assert.is(rows.length, 1 + 12 + 1)
      assert.match(rows.at(-2) ?? '', /^13,20\d\d-[^,]+Z,Ada & Co,Zürich,"<i>Hello<\/i>, grüße\n🌊"$/)
      await press(page, 'Log out')
      await page.getByText('You are logged out.').waitFor()
      assert.equal(troubles.map((trouble) => trouble.slice(0, 3)), ['422', '413', '422'])

      const heard = await tab.evaluate('ticks.length') as number
      await ticks(tab, heard + 1)
    }, 60)
  }

  test('the clock ticks on while passwords keep every thread busy', async (t) => {
    const { http } = await start(t)
    const browser = await openBrowser(t)
    const tab = browser.pages()[0] ?? await browser.newPage()
    await tab.goto(http)
    await ticks(tab, 1)
    // Four at a time, for two threads: there is always one that blocks.
    await tab.evaluate(`(async () => {
      const page = new DOMParser().parseFromString(await (await fetch('/guestbook/login')).text(), 'text/html')
      const body = new URLSearchParams({ csrf: page.querySelector('[name=csrf]').value, password: 'guess' })
      globalThis.statuses = []
      globalThis.busy = true
      const guess = async () => { while (busy) statuses.push((await fetch('/guestbook/login', { method: 'POST', body })).status) }
      globalThis.guessing = Promise.all([guess(), guess(), guess(), guess()])
    })()`)
    const heard = await tab.evaluate('ticks.length') as number
    await ticks(tab, heard + 3)
    const { statuses, times } = await tab.evaluate('busy = false, guessing.then(() => ({ statuses, times: ticks }))') as { statuses: number[]; times: number[] }
    assert.equal([...new Set(statuses)], [422])
    assert.ok(statuses.length >= 4, `${statuses.length} guesses`)
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    assert.ok(Math.min(...gaps) < 1500, `the clock, which ticks each second, was silent for ${gaps.join(', ')} ms`)
  }, 60)
})

test.run()
