/** The functions that block, as a thread of tsgi loads them. */
import { asyncToSync } from 'tsgi/threads'

const addLater = asyncToSync(new URL('./later.mjs#addLater', import.meta.url))

export function add(a, b) {
  return a + b
}

export function addOnLoop(a, b) {
  return addLater(a, b)
}
