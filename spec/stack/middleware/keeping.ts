/** The stacks of modules/keeping.ts in both modes, for a client that sends what cookies its test says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FetchBody } from '../../../lib/testing/request.ts'
import type { TestContext, TestSuite } from '../../support/suite.ts'
import { inBothModes as stackInBothModes, type Opened } from '../both-modes.ts'

const folder = mkdtempSync(join(tmpdir(), 'tsgi-revoked-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
/** Names sessions that are over, line by line. */
export const revokedIds: string = join(folder, 'ids')
writeFileSync(revokedIds, '')
// Before the module is loaded, and a thread is started.
process.env['TSGI_SPEC_REVOKED'] = revokedIds

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cookie?: string | undefined
  readonly body?: FetchBody
}

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  readonly text: string
  /** The `set-cookie` fields. */
  readonly cookies: readonly string[]
}

/** Asks a stack of the module. */
export async function ask({ client }: Opened, stack: string, path: string, { headers, cookie, ...init }: Asked = {}): Promise<Told> {
  client.cookies.clear()
  const response = await client.fetch(path, { ...init, headers: { ...headers, 'x-stack': stack, ...(cookie === undefined ? {} : { cookie }) } })
  const bytes = Buffer.from(await response.arrayBuffer())
  return { status: response.status, headers: response.headers, bytes, text: bytes.toString(), cookies: response.headers.getSetCookie() }
}

/** The cookie that a response sets, as the client sends it; `undefined` for none. */
export function cookieOf({ cookies }: Told): string | undefined {
  return cookies[0]?.split(';')[0]
}

/** Defines a test for both modes. */
export function inBothModes(test: TestSuite, rule: string, body: (opened: Opened, t: TestContext) => Promise<void>, limit?: number): void {
  stackInBothModes(test, '../middleware/modules/keeping', rule, body, limit)
}
