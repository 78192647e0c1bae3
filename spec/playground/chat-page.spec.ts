import type { BrowserContext, Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import { serve } from '../../lib/index.ts'
import { chat } from '../../playground/chat/app.ts'
import showcase from '../../playground/showcase/app.ts'
import { issue } from '../support/certificates.ts'
import { suite } from '../support/suite.ts'
import { openBrowser, watchTroubles } from './browser.ts'
import { start } from './support.ts'

const test = suite('playground chat in a browser')

/** A tab with the chat, somebody in front of it, who uses the keyboard alone. */
class Tab {
  readonly page: Page
  readonly troubles: readonly string[]

  private constructor(page: Page) {
    this.page = page
    this.troubles = watchTroubles(page)
  }

  static async open(browser: BrowserContext, url: string): Promise<Tab> {
    const tab = new Tab(await browser.newPage())
    await tab.page.goto(url)
    return tab
  }

  /** Fills in the form at the door. */
  async join(room: string, name: string): Promise<this> {
    await this.page.getByLabel('Room').focus()
    for (const value of [room, name]) {
      await this.page.keyboard.press('ControlOrMeta+a')
      await this.page.keyboard.type(value)
      await this.page.keyboard.press(value === room ? 'Tab' : 'Enter')
    }
    return this
  }

  /** Writes where the cursor is, and presses Enter. */
  async say(text: string): Promise<void> {
    await this.page.keyboard.type(text)
    await this.page.keyboard.press('Enter')
  }

  /** Waits for a line among the messages and notices. */
  async sees(text: string): Promise<void> {
    await this.page.locator('#log').getByText(text, { exact: true }).waitFor()
  }

  /** Waits until the connection is in this state. */
  async becomes(state: 'here' | 'away'): Promise<void> {
    await this.page.locator(`#state[data-state=${state}]`).waitFor()
  }

  members(): Promise<string[]> {
    return this.page.locator('#members li').allInnerTexts()
  }

  /** All messages, without the notices. */
  messages(): Promise<string[]> {
    return this.page.locator('#log .message p').allInnerTexts()
  }
}

test.needing(['chromium'], () => {
  for (const [where, app, path] of [['by itself', chat(), ''], ['in the showcase', showcase, '/chat']] as const) {
    test(`${where}: two tabs in one room see each other's messages and presence, a third in another room nothing`, async (t) => {
      const url = await start(t, app) + path
      const browser = await openBrowser(t)
      const ada = await (await Tab.open(browser, url)).join('tea', 'Ada')
      await ada.becomes('here')
      const eve = await (await Tab.open(browser, url)).join('coffee', 'Eve')
      await eve.becomes('here')
      await ada.say('Is somebody here?')
      await ada.sees('Is somebody here?')

      // The address of the page names the room.
      const ben = await Tab.open(browser, ada.page.url())
      assert.is(await ben.page.getByLabel('Room').inputValue(), 'tea')
      await ben.join('tea', 'Ben')
      await ben.sees('Is somebody here?')
      await ada.sees('Ben is here')
      assert.equal(await ada.members(), ['Ada (you)', 'Ben'])
      assert.equal(await ben.members(), ['Ada', 'Ben (you)'])
      await ben.say('Yes: <img src="x" onerror="alert(1)"> & me')
      await ada.sees('Yes: <img src="x" onerror="alert(1)"> & me')
      assert.is(await ada.page.locator('#log img').count(), 0)
      await ada.say('Grüße, 你好')
      for (const tab of [ada, ben]) await tab.sees('Grüße, 你好')
      assert.equal(await ben.messages(), await ada.messages())

      assert.equal(await eve.members(), ['Eve (you)'])
      assert.equal(await eve.messages(), [])
      assert.is(await eve.page.locator('#log li').count(), 0)

      await ben.page.close()
      await ada.sees('Ben left')
      assert.equal(await ada.members(), ['Ada (you)'])
      assert.equal([...ada.troubles, ...eve.troubles], [])
    }, 40)
  }

  test.needing(['openssl'], () => {
    test('over TLS the chat goes through one HTTP/2 connection, its WebSockets too (RFC 8441)', async (t) => {
      const { cert, key } = issue()
      const spoken: string[] = []
      const app = chat()
      const server = await serve((scope, receive, send) => {
        if (scope.type !== 'lifespan') spoken.push(`${scope.type} ${scope.httpVersion} ${scope.client?.[1]}`)
        return app(scope, receive, send)
      }, { port: 0, accessLog: false, tlsCert: cert, tlsKey: key })
      t.after(() => server.close({ timeout: 1 }))
      const browser = await openBrowser(t, { ignoreHTTPSErrors: true })
      const ada = await (await Tab.open(browser, server.url)).join('tea', 'Ada')
      await ada.becomes('here')
      const ben = await (await Tab.open(browser, ada.page.url())).join('tea', 'Ben')
      await ada.sees('Ben is here')
      await ben.say('Grüße, 你好')
      await ada.sees('Grüße, 你好')
      await ben.page.close()
      await ada.sees('Ben left')
      assert.equal(ada.troubles, [])
      const [, port = ''] = / (\d+)$/.exec(spoken[0] ?? '') ?? []
      assert.equal([...new Set(spoken)].sort(), [`http 2 ${port}`, `websocket 2 ${port}`])
      assert.is(spoken.filter((each) => each.startsWith('websocket')).length, 2)
    }, 40)
  })

  test('the server stops and starts again: both tabs come back by themselves, with all they had, and talk on', async (t) => {
    const first = await serve(chat(), { port: 0, accessLog: false })
    t.after(() => first.close())
    const browser = await openBrowser(t)
    const ada = await (await Tab.open(browser, first.url)).join('tea', 'Ada')
    const ben = await (await Tab.open(browser, first.url)).join('tea', 'Ben')
    await ben.becomes('here')
    await ada.say('Before')
    await ben.sees('Before')
    await ben.page.keyboard.type('half a th')

    await first.close()
    await Promise.all([ada.becomes('away'), ben.becomes('away')])
    await ada.say('While away')
    assert.is(await ada.page.locator('#outbox p').innerText(), 'While away')

    const second = await serve(chat(), { port: Number(new URL(first.url).port), accessLog: false })
    t.after(() => second.close({ timeout: 1 }))
    await Promise.all([ada.becomes('here'), ben.becomes('here')])
    await ben.sees('While away')
    await ben.say('ought')
    for (const tab of [ada, ben]) await tab.sees('half a thought')
    for (const tab of [ada, ben]) {
      assert.equal(await tab.messages(), ['Before', 'While away', 'half a thought'])
      assert.equal((await tab.members()).map((name) => name.replace(' (you)', '')), ['Ada', 'Ben'])
      assert.is(await tab.page.locator('#outbox li').count(), 0)
      assert.equal(tab.troubles, [])
    }
  }, 40)

  test('a tab that was offline comes back without a wait', async (t) => {
    const url = await start(t, chat())
    const [adaBrowser, browser] = [await openBrowser(t), await openBrowser(t)]
    const ada = await (await Tab.open(adaBrowser, url)).join('tea', 'Ada')
    const ben = await (await Tab.open(browser, url)).join('tea', 'Ben')
    await Promise.all([ada.becomes('here'), ben.becomes('here')])
    await adaBrowser.setOffline(true)
    const reopened = ada.page.waitForEvent('websocket')
    await adaBrowser.setOffline(false)
    await reopened
    await ada.becomes('here')
    await ada.say('Back')
    await ben.sees('Back')
    assert.equal(await ada.members(), ['Ada (you)', 'Ben'])
  }, 40)

  test('a name that is taken is refused in words, at the door', async (t) => {
    const url = await start(t, chat())
    const browser = await openBrowser(t)
    const ada = await (await Tab.open(browser, url)).join('tea', 'Ada')
    await ada.becomes('here')
    const other = await (await Tab.open(browser, url)).join('tea', 'ada')
    await other.page.getByRole('alert').getByText('Somebody here is called Ada already.').waitFor()
    await other.join('tea', 'Ada L')
    await other.becomes('here')
    await ada.sees('Ada L is here')
  }, 40)

  test('who leaves and joins again sees each message once', async (t) => {
    const url = await start(t, chat())
    const ada = await (await Tab.open(await openBrowser(t), url)).join('tea', 'Ada')
    await ada.becomes('here')
    await ada.say('Once')
    await ada.sees('Once')
    await ada.page.getByRole('button', { name: 'Leave' }).press('Enter')
    await ada.join('tea', 'Ada')
    await ada.becomes('here')
    await ada.say('Again')
    await ada.sees('Again')
    assert.equal(await ada.messages(), ['Once', 'Again'])
    await ada.page.getByRole('button', { name: 'Leave' }).press('Enter')
    await ada.join('coffee', 'Ada')
    await ada.page.getByRole('heading', { name: 'coffee' }).waitFor()
    assert.equal(await ada.messages(), [])
  }, 40)

  test('nothing is wider than a phone, and the form to write stays in sight', async (t) => {
    const url = await start(t, chat())
    const tab = await Tab.open(await openBrowser(t), url)
    await tab.page.setViewportSize({ width: 360, height: 600 })
    assert.is(await tab.page.evaluate('document.documentElement.scrollWidth'), 360)
    await tab.join('b'.repeat(32), 'W'.repeat(24))
    await tab.becomes('here')
    for (let i = 0; i < 12; i++) await tab.say(`${i}${'w'.repeat(80)}`)
    await tab.sees(`11${'w'.repeat(80)}`)
    assert.is(await tab.page.evaluate('document.documentElement.scrollWidth'), 360)
    const box = await tab.page.getByRole('textbox', { name: 'Message' }).boundingBox()
    assert.ok(box !== null && box.y + box.height <= 600, JSON.stringify(box))
    const last = await tab.page.locator('#log li').last().boundingBox()
    assert.ok(last !== null && box !== null && last.y + last.height <= box.y, 'the last message is in sight')
  }, 40)
})

test.run()
