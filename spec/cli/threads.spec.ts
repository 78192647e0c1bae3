/** Threads under the command, for applications that lie anywhere. */
import * as assert from 'uvu/assert'
import { serveCommand, tempFolder } from '../support/command.ts'
import { suite } from '../support/suite.ts'

const test = suite('threads under the command')

const app = `
import { application } from 'tsgi'
import { onThreads } from 'tsgi/threads'
const legacy = onThreads<typeof import('./legacy.ts')>(new URL('./legacy.js', import.meta.url))
export async function twice(value: number): Promise<number> { return 2 * value }
export default application({
  http: async (_scope, _receive, send) => {
    const ids = new Set(await Promise.all(Array.from({ length: 20 }, () => legacy.threadNumber())))
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: JSON.stringify({ threads: ids.size, nested: await legacy.nested(21) }) })
  },
})
`

const legacy = `
import { threadId } from 'node:worker_threads'
import { asyncToSync } from 'tsgi/threads'
const twice = asyncToSync<(value: number) => Promise<number>>(new URL('./app.ts#twice', import.meta.url))
export enum Kind { Legacy }
export function threadNumber(): number {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  return threadId
}
export function nested(value: number): number { return twice(value) }
`

for (const threads of [1, 2]) {
  test(`--threads ${threads}: TypeScript outside of the checkout runs on that many, and imports tsgi`, async (t) => {
    const folder = tempFolder(t)
    folder.write('package.json', '{ "type": "module" }')
    folder.write('legacy.ts', legacy)
    const serving = await serveCommand(t, [folder.write('app.ts', app), '--threads', String(threads)])
    assert.equal(await (await fetch(serving.url)).json(), { threads, nested: 42 })
  }, 30)
}

test.run()
