import { once } from 'node:events'
import type { Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import blocking from '../../playground/blocking/app.ts'
import type { Result } from '../../playground/blocking/jobs.ts'
import showcase from '../../playground/showcase/app.ts'
import { serveCommand } from '../support/command.ts'
import { suite } from '../support/suite.ts'
import { openPage, watchTroubles } from './browser.ts'
import { RawClient, start } from './support.ts'

const test = suite('playground blocking')

async function job(url: string): Promise<Result> {
  const response = await fetch(url, { method: 'POST' })
  assert.is(response.status, 200)
  assert.is(response.headers.get('content-type'), 'application/json')
  return await response.json() as Result
}

test('a job has the same result on the loop and on a thread, and tells where it ran', async (t) => {
  const url = await start(t, blocking)
  for (const name of ['scrypt', 'gzip']) {
    const [inline, onThread] = [await job(`${url}/${name}/loop`), await job(`${url}/${name}/thread`)]
    assert.is(inline.text, onThread.text, name)
    assert.is(inline.thread, 0, name)
    assert.ok(onThread.thread > 0, `${name}: thread ${onThread.thread}`)
    assert.ok(inline.took > 0 && onThread.took > 0, name)
  }
}, 60)

test('the clock ticks while a job runs on a thread, and not once while it runs on the loop', async (t) => {
  const url = await start(t, blocking)
  await job(`${url}/scrypt/thread`)
  const clock = new RawClient(t, url, 'GET /clock HTTP/1.1\r\nHost: a\r\n\r\n')
  await clock.until('data: ')
  /** When the server ticked. */
  const ticks = (): number[] => [...clock.text.matchAll(/data: (\d+)/g)].map(([, time]) => Number(time))
  for (const where of ['thread', 'loop']) {
    const began = Date.now()
    const { took } = await job(`${url}/scrypt/${where}`)
    const seen = ticks().length
    while (ticks().length === seen) await once(clock.socket, 'data')
    const ended = began + took
    const within = ticks().filter((time) => time > began + 100 && time < ended - 100).length
    if (where === 'thread') assert.ok(within >= 2, `${within} ticks in ${took} ms`)
    else assert.is(within, 0, `${within} ticks in ${took} ms`)
  }
}, 60)

test('only a POST starts a job, and what is not there is a 404', async (t) => {
  const url = await start(t, blocking)
  const got = await fetch(`${url}/scrypt/loop`)
  assert.is(got.status, 405)
  assert.is(got.headers.get('allow'), 'POST')
  for (const path of ['/scrypt', '/scrypt/elsewhere', '/toString/loop', '/app.ts', '/clock/']) {
    assert.is((await fetch(url + path, { method: 'POST' })).status, 404, path)
  }
})

test('the command serves it by itself', async (t) => {
  const { url } = await serveCommand(t, ['playground/blocking/app.ts'])
  assert.match(await (await fetch(url)).text(), /<title>Blocking/)
  assert.ok((await job(`${url}/scrypt/thread`)).thread > 0)
}, 60)

test.needing(['chromium'], () => {
  for (const [where, app, path] of [['by itself', blocking, ''], ['in the showcase', showcase, '/blocking']] as const) {
    test(`${where}: a job on a thread leaves the clock alone, one on the loop stops it, from the keyboard too`, async (t) => {
      const url = await start(t, app)
      const page = await openPage(t)
      const troubles = watchTroubles(page)
      await page.setViewportSize({ width: 360, height: 800 })
      await page.goto(url + path)
      await page.getByText('The clock ticks.').waitFor()
      assert.is(await page.evaluate('document.documentElement.scrollWidth'), 360)

      // A busy machine may hold the clock up by itself: of some tries, the best counts.
      await press(page, 'On a thread', 'scryptSync', 1)
      let share = Infinity
      for (let tries = 0; tries < 4 && share > 0.5; tries++) share = Math.min(share, await gapShare(page, 'On a thread', tries + 2))
      assert.ok(share <= 0.5, `silent for ${share} of the time of a job on a thread`)

      const done = await page.locator('#results li').count()
      const blocked = await gapShare(page, 'On the event loop', done + 1)
      assert.ok(blocked >= 0.8, `silent for ${blocked} of the time of a job on the loop`)
      assert.equal(troubles, [])
    }, 60)
  }

  test('several jobs at once come back with their times and threads', async (t) => {
    const page = await openPage(t)
    await page.goto(await start(t, blocking))
    await page.getByText('The clock ticks.').waitFor()
    const lines = await press(page, 'On a thread', 'Four at once', 4)
    for (const line of lines) assert.match(line, /^scryptSync, on a thread\n?[0-9a-f]{16}; thread [1-9]\d*; blocked it for \d+ ms, waited \d+ ms$/)
    const [gzip = ''] = await press(page, 'On the event loop', 'gzipSync', 5)
    assert.match(gzip, /^gzipSync, on the loop\n?[\d.]+ of 16 MiB; thread 0; /)
  }, 60)
})

/** Presses a button by Enter, and waits until so many jobs are done; resolves to their lines, the newest first. */
async function press(page: Page, group: string, button: string, count: number): Promise<string[]> {
  await page.getByRole('group', { name: group }).getByRole('button', { name: button }).focus()
  await page.keyboard.press('Enter')
  await page.locator('#results li', { hasText: 'blocked it for' }).nth(count - 1).waitFor()
  return page.locator('#results li').allInnerTexts()
}

/** Runs a job; resolves to the clock's largest gap as a share of the job's time. */
async function gapShare(page: Page, group: string, count: number): Promise<number> {
  await page.getByRole('button', { name: 'Forget the gap' }).press('Enter')
  const [line = ''] = await press(page, group, 'scryptSync', count)
  const took = Number(/blocked it for (\d+) ms/.exec(line)?.[1])
  return Number.parseInt(await page.locator('#largest').innerText(), 10) / took
}

test.run()
