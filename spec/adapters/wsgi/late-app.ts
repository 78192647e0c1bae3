/** An application whose module waits at its top, as one does that opens a database there. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Environ, StartResponse } from '../../../adapters/wsgi/index.ts'

const opened = await delay(5, 'opened')

export default function late(_environ: Environ, startResponse: StartResponse): string {
  startResponse('200 OK', [])
  return opened
}
