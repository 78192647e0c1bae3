import { latin1Of, messageFrame } from './frames.ts'

/** What has frames to write when the turn is over. */
export interface Sender {
  flush(): void
}

let waiting: Sender[] = []
let framedEvent: object | null = null
let framedMessage: Uint8Array | string = ''
let frame = ''

/** Has `sender` flushed when this turn's code, promises included, has run: what was answered in it leaves in one write. */
export function flushSoon(sender: Sender): void {
  if (waiting.push(sender) === 1) process.nextTick(flushAll)
}

/**
 * A message's frame as Latin-1 text. An event that is sent to many WebSockets in turn is framed once; one that its
 * application has changed since is framed anew.
 */
export function frameOf(message: Uint8Array | string, event: object): string {
  if (event === framedEvent && isFramed(message)) return frame
  frame = messageFrame(message)
  framedEvent = event
  framedMessage = message
  return frame
}

function isFramed(message: Uint8Array | string): boolean {
  if (message !== framedMessage) return false
  return typeof message === 'string' || frame.endsWith(latin1Of(message))
}

function flushAll(): void {
  framedEvent = null
  framedMessage = ''
  frame = ''
  const senders = waiting
  waiting = []
  for (const sender of senders) sender.flush()
}
