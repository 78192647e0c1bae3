/** A report, written as people write one: no async, no await, though its figures come over HTTP. */
import { threadId } from 'node:worker_threads'
import { asyncToSync } from 'tsgi/threads'
import type { fetchJson as FetchJson } from './fetch-json.ts'

// Blocks the thread that calls it, while the function itself runs on the event loop.
const fetchJson = asyncToSync<typeof FetchJson>(new URL('./fetch-json.ts#fetchJson', import.meta.url)) as <T>(url: string) => T

/** What a shop has sold. */
export interface Sales {
  readonly sold: number
  readonly price: number
}

/** The report on all shops of the service at `url`, as text. */
export function report(url: string): string {
  const began = performance.now()
  const shops = fetchJson<readonly string[]>(`${url}/shops`)
  const lines = shops.map((shop) => line(shop, `${url}/shops/${shop}`))
  return [
    ...lines,
    '',
    `Made on thread ${threadId} by functions without an await, in ${(performance.now() - began).toFixed(0)} ms: ${1 + shops.length} calls of fetch.`,
    '',
  ].join('\n')
}

function line(shop: string, url: string): string {
  // What an async function throws can be caught as ever.
  try {
    const { sold, price } = fetchJson<Sales>(url)
    return `${shop.padEnd(10)}${String(sold).padStart(6)} sold ${(sold * price).toFixed(2).padStart(12)} EUR`
  } catch (error) {
    return `${shop.padEnd(10)}no figures: ${(error as Error).message}`
  }
}
