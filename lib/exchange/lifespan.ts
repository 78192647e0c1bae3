import type { Application } from '../contract/application.ts'
import { InvalidEvent, LifespanFailed, UnexpectedEvent } from '../contract/errors.ts'
import type { LifespanReceiveEvent, SendEvent } from '../contract/events.ts'
import type { AsgiVersions, LifespanScope, State } from '../contract/scope.ts'
import { lifespanExpected, lifespanOrder, type LifespanEventType, type LifespanState } from './lifespan-order.ts'

const lifespanVersions: AsgiVersions = Object.freeze({ version: '3.0', specVersion: '2.0' })

export interface LifespanSettings {
  /** `auto`: an application that throws has no lifespan, and is served without. `on`: that is an error. `off`: never asked. */
  readonly mode: 'auto' | 'on' | 'off'
  /** Seconds that the application has to start, and to shut down; 0 for no limit. */
  readonly startup: number
  readonly shutdown: number
  /** Hears why the application has no lifespan (mode `auto`). */
  unsupported(error: unknown): void
  /** Hears of an error that ends the lifespan while the server serves. */
  failed(error: unknown): void
}

/** The order of events of one server's life. */
export class LifespanExchange {
  /** What the application put into its scope. */
  readonly state: State = {}

  readonly #settings: LifespanSettings
  #state: LifespanState = 'starting'
  #received = 0
  #shutdownAsked: (() => void) | null = null
  /** Settles the phase that is being waited for: with an error if it failed. */
  #settle: ((error: LifespanFailed | null) => void) | null = null
  /** The failure that the application has told of. What it throws right after that is the cause. */
  #failure: LifespanFailed | null = null

  constructor(settings: LifespanSettings) {
    this.#settings = settings
  }

  /** Resolves once the application has started, or has no lifespan; rejects with `LifespanFailed`. */
  async startup(app: Application): Promise<void> {
    const { mode, startup } = this.#settings
    if (mode === 'off') {
      this.#state = 'over'
      return
    }
    const started = this.#phase('start-up', startup)
    void this.#drive(app)
    await started
  }

  /** Resolves once the application has shut down; rejects with `LifespanFailed`. */
  async shutdown(): Promise<void> {
    if (this.#state !== 'running') return
    this.#state = 'stopping'
    const stopped = this.#phase('shutdown', this.#settings.shutdown)
    this.#shutdownAsked?.()
    await stopped
  }

  /** Waits for the end of a phase, but no longer than its limit. */
  #phase(what: string, limit: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = limit === 0 ? undefined : setTimeout(() => {
        this.#state = 'over'
        this.#settle?.(new LifespanFailed(`the application's ${what} took longer than ${limit} seconds`))
      }, limit * 1000)
      this.#settle = (error) => {
        this.#settle = null
        clearTimeout(timer)
        if (error === null) resolve()
        else reject(error)
      }
    })
  }

  async #drive(app: Application): Promise<void> {
    const scope: LifespanScope = { type: 'lifespan', asgi: lifespanVersions, state: this.state }
    try {
      await app(scope, () => this.#receive(), async (event) => this.#take(event))
      this.#ended(null)
    } catch (error) {
      this.#ended({ error })
    }
  }

  /** The application has returned, or thrown. */
  #ended(thrown: { error: unknown } | null): void {
    const state = this.#state
    this.#state = 'over'
    switch (state) {
      case 'starting':
        if (this.#settings.mode === 'auto') {
          if (thrown !== null) this.#settings.unsupported(thrown.error)
          this.#settle?.(null)
        } else if (thrown === null) {
          this.#settle?.(new LifespanFailed('the application returned before lifespan.startup.complete'))
        } else {
          this.#settle?.(new LifespanFailed(`the application threw at start-up: ${messageOf(thrown.error)}`, { cause: thrown.error }))
        }
        break
      case 'running':
        if (thrown !== null) this.#settings.failed(thrown.error)
        break
      case 'stopping':
        if (thrown === null) this.#settle?.(null)
        else this.#settle?.(new LifespanFailed(`the application threw at shutdown: ${messageOf(thrown.error)}`, { cause: thrown.error }))
        break
      case 'over':
        if (this.#failure !== null && thrown !== null) this.#failure.cause = thrown.error
        break
    }
  }

  /** Fails the phase, once the application has had a moment to throw the cause. */
  #fail(text: string, message: unknown): void {
    this.#state = 'over'
    const failure = new LifespanFailed(message ? `${text}: ${String(message)}` : text)
    this.#failure = failure
    setImmediate(() => this.#settle?.(failure))
  }

  #receive(): Promise<LifespanReceiveEvent> {
    this.#received++
    if (this.#received === 1) return Promise.resolve({ type: 'lifespan.startup' })
    // There is one shutdown; whoever asks again waits for ever.
    if (this.#received > 2) return new Promise(() => {})
    return new Promise((resolve) => {
      const shutdown = (): void => resolve({ type: 'lifespan.shutdown' })
      if (this.#state === 'stopping') shutdown()
      else this.#shutdownAsked = shutdown
    })
  }

  #take(event: SendEvent): void {
    const type = event?.type as LifespanEventType
    if (!Object.hasOwn(lifespanOrder.starting, type)) throw new InvalidEvent('send', 'type', 'the type of an event that may be sent in the lifespan', type)
    if (lifespanOrder[this.#state][type] !== 'take') throw new UnexpectedEvent(type, lifespanExpected[this.#state])
    const { message } = event as { message?: unknown }
    if (message !== undefined && message !== null && typeof message !== 'string') throw new InvalidEvent(type, 'message', 'a string', message)
    switch (type) {
      case 'lifespan.startup.complete':
        this.#state = 'running'
        this.#settle?.(null)
        break
      case 'lifespan.startup.failed':
        this.#fail('the application failed to start', message)
        break
      case 'lifespan.shutdown.complete':
        this.#state = 'over'
        this.#settle?.(null)
        break
      case 'lifespan.shutdown.failed':
        this.#fail('the application failed to shut down', message)
        break
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
