/** The site in a browser, in both modes. */
import type { Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import { suite, type TestContext } from '../support/suite.ts'
import { openPage, watchTroubles } from './browser.ts'
import { landscape, modes, startSite, type Site } from './site-driver.ts'

/** The width of a picture, once it is there. */
async function widthOf(element: unknown): Promise<number> {
  const image = element as { readonly naturalWidth: number; decode(): Promise<void> }
  await image.decode()
  return image.naturalWidth
}

const test = suite('playground site in a browser')

/** A page, and what goes wrong in it; the browser says in the console what a policy has kept from the page. */
async function open(t: TestContext, site: Site): Promise<{ readonly page: Page; readonly troubles: readonly string[]; readonly refused: readonly string[] }> {
  const page = await openPage(t)
  const refused: string[] = []
  page.on('console', (message) => { if (/content security policy|refused to/i.test(message.text())) refused.push(message.text()) })
  await page.goto(site.url)
  return { page, troubles: watchTroubles(page), refused }
}

async function press(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name, exact: true }).click()
}

async function logIn(page: Page): Promise<void> {
  await page.getByLabel('Name').fill('ada')
  await page.getByLabel('Password').fill('compost')
  await press(page, 'Log in')
  await page.getByRole('status').getByText('Good to see you, ada.').waitFor()
}

function titles(page: Page): Promise<string[]> {
  return page.locator('article h2').allInnerTexts()
}

test.needing(['chromium'], () => {
  for (const mode of modes) {
    test(`in ${mode} mode: browse, log in, write a note with mistakes, give it a picture, see it, edit it, log out`, async (t) => {
      const site = await startSite(t, mode)
      const { page, troubles, refused } = await open(t, site)
      assert.is(page.url(), `${site.url}/posts`)
      for (const number of [2, 3]) {
        await page.getByRole('link', { name: 'Older' }).click()
        await page.getByText(`Page ${number} of 3`).waitFor()
      }
      await page.getByRole('link', { name: 'The shed has a roof again' }).click()
      await page.getByRole('heading', { level: 1, name: 'The shed has a roof again' }).waitFor()
      assert.match(await page.locator('.body').innerText(), 'forty screws, one thumb.\n\nThe tools')
      assert.equal(await page.context().cookies(), [])

      await page.goto(`${site.url}/posts/new`)
      assert.is(page.url(), `${site.url}/login?next=%2Fposts%2Fnew`)
      await page.getByLabel('Name').fill('ada')
      await page.getByLabel('Password').fill('guess')
      await press(page, 'Log in')
      await page.getByRole('alert').getByText('not the password').waitFor()
      await logIn(page)
      assert.is(page.url(), `${site.url}/posts/new`)
      const [cookie] = await page.context().cookies()
      assert.equal([cookie?.name, cookie?.httpOnly, cookie?.sameSite], ['plot9', true, 'Lax'])

      await page.getByRole('textbox', { name: 'Note' }).fill('<i>Grüße</i>\n🌱')
      await press(page, 'Publish')
      await page.getByText('Please give it a title.').waitFor()
      assert.is(await page.getByLabel('Title').getAttribute('aria-describedby'), 'title-trouble')
      assert.is(await page.getByRole('textbox', { name: 'Note' }).inputValue(), '<i>Grüße</i>\n🌱')
      await page.getByLabel('Title').fill('A "view" & <more>')
      await press(page, 'Publish')
      await page.getByRole('status').getByText('Your note is in the log.').waitFor()
      assert.is(await page.locator('h1').innerText(), 'A "view" & <more>')
      assert.is(await page.locator('.body').innerText(), '<i>Grüße</i>\n🌱')

      await page.getByLabel('Picture').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('<svg/>') })
      await press(page, 'Upload')
      await page.getByRole('alert').getByText('This file is no picture').waitFor()
      await page.getByLabel('Picture').setInputFiles({ name: 'Ä "q".png', mimeType: 'image/png', buffer: landscape(640, 360) })
      await page.getByLabel('What is to be seen in it').fill('Hills & a "sun"')
      await press(page, 'Upload')
      await page.getByRole('status').getByText('The picture is in the log.').waitFor()
      assert.is(await page.getByAltText('Hills & a "sun"').evaluate(widthOf), 640)

      await page.getByRole('link', { name: 'Edit' }).click()
      await page.getByLabel('Title').fill('A view')
      await press(page, 'Save')
      await page.getByRole('status').getByText('The note is saved.').waitFor()
      await page.getByRole('link', { name: 'All notes', exact: true }).click()
      assert.is((await titles(page))[0], 'A view')
      assert.is(await page.locator('.card img').count(), 1)

      await press(page, 'Log out')
      await page.getByRole('status').getByText('You are logged out.').waitFor()
      await page.reload()
      assert.is(await page.getByRole('status').count(), 0)
      assert.is(await page.getByRole('link', { name: 'Write a note' }).count(), 0)
      assert.equal([troubles.map((trouble) => trouble.slice(0, 3)), refused], [['422', '422', '415'], []])
    }, 60)
  }

  test('pages fit a phone, can be read in light and dark, have one heading, and a way past their menu', async (t) => {
    const site = await startSite(t, 'async')
    const { page } = await open(t, site)
    await page.setViewportSize({ width: 360, height: 740 })
    await page.goto(`${site.url}/login`)
    await logIn(page)
    for (const path of ['/posts', '/posts/13', '/posts/new', '/about', '/missing', '/posts/2/edit']) {
      await page.goto(site.url + path)
      assert.is(await page.evaluate('document.documentElement.scrollWidth'), 360, path)
      assert.is(await page.locator('h1').count(), 1, path)
      assert.equal(await page.evaluate('[...document.querySelectorAll("input:not([type=hidden]), textarea")].filter((each) => each.labels.length !== 1).map((each) => each.name)'), [], path)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        assert.equal(await page.evaluate(FAINT), [], `${path} ${colorScheme}`)
      }
    }
    await page.keyboard.press('Tab')
    assert.is(await page.evaluate('document.activeElement.textContent'), 'Skip to the content')
    assert.ok(await page.evaluate('document.activeElement.getBoundingClientRect().top >= 0'))
  }, 60)
})

/** In the page: texts of less contrast than 4.5 to 1 (WCAG 2.2, 1.4.3). */
const FAINT = `(() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map((part) => Number(part) / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    const { backgroundColor } = getComputedStyle(element)
    return backgroundColor === 'rgba(0, 0, 0, 0)' && element.parentElement !== null ? ground(element.parentElement) : backgroundColor
  }
  return [...document.body.querySelectorAll('*')].filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')).flatMap((element) => {
    const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a)
    const contrast = (one + 0.05) / (other + 0.05)
    return contrast < 4.5 ? [element.textContent.trim() + ' ' + contrast.toFixed(2)] : []
  })
})()`

test.run()
