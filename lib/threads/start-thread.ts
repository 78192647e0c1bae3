import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker, type MessagePort } from 'node:worker_threads'
import { OVER, WAKES } from './protocol.ts'
import { OUTPUT_WORDS, releaseOutput } from './write-all.ts'

/** What a thread is started with. */
export interface ThreadData {
  /** The module to run. */
  readonly entry: string
  /** Modules of tsx that make the thread load TypeScript; empty where Node does it, or nothing is to be found. */
  readonly tsx: readonly string[]
  /** Modules to import before anything else. */
  readonly before: readonly string[]
  readonly port: MessagePort
  readonly words: Int32Array
  readonly outputLocks: Int32Array
  /** Modules that calls will need: imported early, they are one copy whoever asks for them first. */
  readonly modules: readonly string[]
}

const before: string[] = []
const modules = new Set<string>()
let early = true
const outputLocks = new Int32Array(new SharedArrayBuffer(4 * OUTPUT_WORDS))

// A thread cannot be started from TypeScript on Node 20, so this is JavaScript. With --input-type=module, which threads
// inherit, it is a module and has no require.
const bootstrap = `
const { workerData } = process.getBuiltinModule('node:worker_threads')
process.on('exit', (code) => {
  Atomics.store(workerData.words, ${OVER}, code + 1)
  Atomics.add(workerData.words, ${WAKES}, 1)
  Atomics.notify(workerData.words, ${WAKES})
})
;(async () => {
  for (const url of workerData.tsx) (await import(url)).register()
  for (const url of workerData.before) await import(url)
  await import(workerData.entry)
})()
`

/** Has every thread that is started from now on import a module first. */
export function importInThreads(module: URL): void {
  before.push(module.href)
}

/** Has every thread that is started from now on import a module early. */
export function expectModule(href: string): void {
  modules.add(href)
}

/**
 * A thread has ended before it came to its first call: one of the modules may have ended it, and is left to the call
 * that names it from now on. Returns false where that was so already.
 */
export function leaveModules(): boolean {
  const left = early && modules.size > 0
  early = false
  return left
}

/** Starts a thread that runs `entry`, a module beside this one without its extension. */
export function startThread(entry: string, port: MessagePort, words: Int32Array): Worker {
  const own = import.meta.url
  const data: ThreadData = {
    entry: new URL(`./${entry}${own.slice(own.lastIndexOf('.'))}`, own).href,
    tsx: tsxModules(),
    before,
    port,
    words,
    outputLocks,
    modules: early ? [...modules] : [],
  }
  const worker = new Worker(bootstrap, { eval: true, name: 'tsgi', workerData: data, transferList: [port] })
  const { threadId } = worker
  return worker.on('exit', () => releaseOutput(outputLocks, threadId))
}

let foundTsx: readonly string[] | null = null

/** Where tsx is, from here or from a module that is called; none if Node loads TypeScript by itself, or there is none. */
function tsxModules(): readonly string[] {
  const typed = [import.meta.url, ...modules].filter((href) => /\.[cm]?tsx?$/.test(href))
  if (typed.length === 0) return []
  if (foundTsx !== null) return foundTsx
  for (const from of [...typed, import.meta.url]) {
    try {
      foundTsx = tsxFrom(createRequire(from))
      return foundTsx
    } catch {
      // Not installed there.
    }
  }
  return []
}

/** The two modules as `import` would find them; `require` would find others. */
function tsxFrom(require: NodeJS.Require): readonly string[] {
  const manifest = require.resolve('tsx/package.json')
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly exports: Readonly<Record<string, { readonly import: { readonly default: string } }>> }
  return ['./esm/api', './cjs/api'].map((name) => new URL(exports[name]?.import.default ?? '', pathToFileURL(manifest)).href)
}
