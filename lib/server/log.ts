/** How much is logged: each level includes those after it. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** Writes lines for people: `debug` and `info` to stdout, `warn` and `error` to stderr. */
export class Log {
  readonly #lowest: number
  #held = ''
  #flushing = false

  constructor(level: LogLevel) {
    this.#lowest = order.indexOf(level)
  }

  /** Whether lines of this level are written. */
  has(level: LogLevel): boolean {
    return order.indexOf(level) >= this.#lowest
  }

  debug(text: string): void {
    if (this.has('debug')) this.#write(process.stdout, `debug: ${text}\n`)
  }

  info(text: string): void {
    if (this.has('info')) this.#write(process.stdout, `${text}\n`)
  }

  warn(text: string): void {
    if (this.has('warn')) this.#write(process.stderr, `warning: ${text}\n`)
  }

  /** An error with its stack and causes if it has them. */
  error(text: string, error?: unknown): void {
    this.#write(process.stderr, `error: ${text}${error === undefined ? '' : `\n${stackOf(error)}`}\n`)
  }

  /** A line of the access log: the lines of one turn are written at once. */
  access(line: string): void {
    this.#held += `${line}\n`
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => this.flush())
  }

  /** Writes what is held back. */
  flush(): void {
    this.#flushing = false
    const held = this.#held
    this.#held = ''
    if (held !== '') process.stdout.write(held)
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    this.flush()
    stream.write(text)
  }
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const stack = error.stack ?? `${error.name}: ${error.message}`
  return error.cause === undefined ? stack : `${stack}\ncaused by: ${stackOf(error.cause)}`
}
