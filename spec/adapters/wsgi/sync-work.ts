/** Sync functions that applications call. */
import { threadId } from 'node:worker_threads'

export function where(): number {
  return threadId
}
