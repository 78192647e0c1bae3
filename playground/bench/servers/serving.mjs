/**
 * What every contestant shares. A contestant is a program of its own, run by plain `node`; its first argument is the
 * variant. It tells the harness its address, reports its memory when asked, and ends when the harness goes.
 */

/** The variant of this run: `read` when the application reads all header fields. */
export const reads = process.argv[2] === 'read'
/** The variant of this run: `broadcast` when a WebSocket's message goes to all, and not back alone. */
export const broadcasts = process.argv[2] === 'broadcast'

/** The variant of this run by its name. */
export const variant = process.argv[2]
/** How many layers of middleware this run has; 0 where its variant is no number. */
export const layers = Number(process.argv[2]) || 0
/** The files of the certificate of servers with TLS. */
export const certificate = { cert: process.argv[3], key: process.argv[4] }

/** What to answer: 1 MiB in the variant `large`, else a short text. */
export function bodyOf() {
  return variant === 'large' ? Buffer.alloc(1024 * 1024, 'x') : 'Hello world!'
}

/** Takes what an application has read, so that reading it cannot be optimised away. */
export const sink = { length: 0 }

/** Tells the harness where this server listens. */
export function serving(url) {
  if (process.send === undefined) {
    console.log(url)
    return
  }
  process.send({ url })
  process.on('disconnect', () => process.exit())
  process.on('message', async (question) => {
    if (question === 'memory') process.send({ memory: await memory() })
  })
}

/** Memory in use once all garbage is gone. Needs `--expose-gc`. */
async function memory() {
  for (let turn = 0; turn < 6; turn++) {
    globalThis.gc()
    await new Promise((done) => setTimeout(done, 20))
  }
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage()
  return { rss, heapTotal, heapUsed, external }
}
