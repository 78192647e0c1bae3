import { execFileSync } from 'node:child_process'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, type TestContext } from '../support/suite.ts'

let launched: Promise<Browser> | null = null

/** The browser of this process: to start one takes long. */
async function shared(): Promise<Browser> {
  const browser = await launched
  if (browser?.isConnected() === true) return browser
  launched = chromium.launch({
    executablePath: execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim(),
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  })
  if (browser === null) afterAll(async () => (await launched)?.close())
  return launched
}

/** A browser of a test's own, that knows nothing of earlier ones. */
export async function openBrowser(t: TestContext, options: { readonly ignoreHTTPSErrors?: boolean } = {}): Promise<BrowserContext> {
  const context = await (await shared()).newContext({ ...options, locale: 'en-US' })
  t.after(() => context.close())
  return context
}

/** A page in such a browser. */
export async function openPage(t: TestContext): Promise<Page> {
  const browser = await openBrowser(t)
  return browser.pages()[0] ?? browser.newPage()
}

/** What goes wrong in a page from now on: errors of scripts, and responses that are errors. */
export function watchTroubles(page: Page): readonly string[] {
  const troubles: string[] = []
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('response', (response) => { if (response.status() >= 400) troubles.push(`${response.status()} ${response.url()}`) })
  return troubles
}
