/** The entry of a thread that runs async functions for one that has no loop to run them on. */
import { workerData } from 'node:worker_threads'
import { setLoop } from './async-to-sync.ts'
import { LoopEnd } from './loop-end.ts'
import type { ThreadData } from './start-thread.ts'
import { writeAtOnce } from './write-all.ts'

const { port, words, outputLocks } = workerData as ThreadData

writeAtOnce(outputLocks)
setLoop()
new LoopEnd(port, words)
