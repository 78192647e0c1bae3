/** The entry of a pool's thread. */
import { workerData } from 'node:worker_threads'
import { setOwner } from './async-to-sync.ts'
import { preload } from './module.ts'
import { ThreadEnd } from './parked.ts'
import type { ThreadData } from './start-thread.ts'
import { writeAtOnce } from './write-all.ts'

const { port, words, outputLocks, modules } = workerData as ThreadData

writeAtOnce(outputLocks)
for (const module of modules) await preload(module)
setOwner(new ThreadEnd(port, words))
