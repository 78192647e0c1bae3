import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import type { TestContext } from '../support/suite.ts'

/** A browser of its own, that knows nothing of earlier ones. */
export async function openBrowser(t: TestContext, options: { readonly ignoreHTTPSErrors?: boolean } = {}): Promise<BrowserContext> {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-chromium-'))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  const context = await chromium.launchPersistentContext(folder, {
    ...options,
    executablePath: execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim(),
    locale: 'en-US',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  })
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
