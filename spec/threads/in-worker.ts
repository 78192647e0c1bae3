import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { TestContext } from '../support/suite.ts'

/** What a piece of JavaScript returns in a Worker of the user's own; `nest` is the module there. It ends by itself. */
export async function inWorker(t: TestContext, module: URL, body: string): Promise<unknown> {
  const tsx = new URL('./esm/api/index.mjs', new URL('./dist/', pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'))))
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads')
    ;(async () => {
      (await import(${JSON.stringify(tsx.href)})).register()
      const nest = await import(${JSON.stringify(module.href)})
      parentPort.postMessage(await (async () => { ${body} })())
    })()`, { eval: true })
  t.after(() => worker.terminate())
  let found: unknown
  worker.on('message', (value: unknown) => (found = value))
  return new Promise((resolve, reject) => worker.once('error', reject).once('exit', (code) => code === 0 ? resolve(found) : reject(new Error(`exit code ${code}`))))
}
