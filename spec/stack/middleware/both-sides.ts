/** Ready-made layers in both modes: the stacks of modules/layers.ts. */
import type { FetchBody } from '../../../lib/testing/request.ts'
import type { TestContext, TestSuite } from '../../support/suite.ts'
import { inBothModes as stackInBothModes, type Opened } from '../both-modes.ts'

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: FetchBody | AsyncIterable<Uint8Array | string>
}

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Asks a stack of the module. */
export async function ask({ client }: Opened, stack: string, path: string, { headers, ...init }: Asked = {}): Promise<Told> {
  const response = await client.fetch(path, { ...init, headers: { ...headers, 'x-stack': stack } })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** Defines a test of layers for both modes. */
export function inBothModes(test: TestSuite, rule: string, body: (opened: Opened, t: TestContext) => Promise<void>, limit?: number): void {
  stackInBothModes(test, '../middleware/modules/layers', rule, body, limit)
}
