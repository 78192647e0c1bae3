import type { Application } from '../contract/application.ts'

/** What `messageLog` may be told. */
export interface MessageLogOptions {
  /** Takes each line. Default: `console.debug`. */
  readonly log?: ((line: string) => void) | undefined
}

let last = 0

/**
 * Logs every event between the server and the application, with a number for each call: what came, what was sent, and
 * how it ended. Bodies are shown by their size. For looking at what goes on; it makes everything slower.
 */
export function messageLog(app: Application, { log = console.debug }: MessageLogOptions = {}): Application {
  return async (scope, receive, send) => {
    const number = ++last
    const say = (text: string): void => log(`[${number}] ${text}`)
    say(scope.type === 'lifespan' ? 'lifespan' : `${scope.type} ${'method' in scope ? `${scope.method} ` : ''}${scope.rawPath} HTTP/${scope.httpVersion}`)
    try {
      await app(
        scope,
        async () => {
          const event = await receive()
          say(`receive ${shown(event)}`)
          return event
        },
        async (event) => {
          try {
            await send(event)
            say(`send ${shown(event)}`)
          } catch (error) {
            say(`send ${shown(event)}: ${String(error)}`)
            throw error
          }
        },
      )
      say('returned')
    } catch (error) {
      say(`threw ${String(error)}`)
      throw error
    }
  }
}

/** An event on one line. */
function shown(event: object): string {
  const { type, ...rest } = event as { readonly type?: unknown }
  const parts = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined).map(([key, value]) => `${key}=${valueText(value)}`)
  return [String(type), ...parts].join(' ')
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return `<${value.byteLength} bytes>`
  if (typeof value === 'string') return value.length > 60 ? `<${value.length} characters>` : JSON.stringify(value)
  if (typeof value === 'object' && value !== null && Symbol.iterator in value) return `<${[...value as Iterable<unknown>].length} items>`
  if (typeof value === 'function') return '<function>'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
