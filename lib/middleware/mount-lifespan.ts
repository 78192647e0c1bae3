import type { Application, Receive, Send } from '../contract/application.ts'
import { InvalidEvent, LifespanFailed, UnexpectedEvent } from '../contract/errors.ts'
import type { SendEvent } from '../contract/events.ts'
import type { LifespanScope, State } from '../contract/scope.ts'

type Phase = 'starting' | 'running' | 'stopping' | 'over'

/** What a part may send, by phase. */
const expected: Readonly<Record<Phase, readonly string[]>> = {
  starting: ['lifespan.startup.complete', 'lifespan.startup.failed'],
  running: [],
  stopping: ['lifespan.shutdown.complete', 'lifespan.shutdown.failed'],
  over: [],
}

/** The lifespan of one application among several. */
export class PartLifespan {
  /** What the part put into its scope. */
  readonly state: State
  readonly #app: Application
  #phase: Phase = 'starting'
  #received = 0
  #failure: LifespanFailed | null = null
  #askShutdown!: () => void
  readonly #shutdownAsked: Promise<void> = new Promise((resolve) => (this.#askShutdown = resolve))
  /** Settles the phase that is waited for. */
  #settle: ((failure: LifespanFailed | null) => void) | null = null

  constructor(app: Application, state: State) {
    this.#app = app
    this.state = { ...state }
  }

  /** Resolves to whether the part has a lifespan; rejects with `LifespanFailed`. */
  async start(scope: LifespanScope): Promise<boolean> {
    const started = this.#settled()
    void this.#run({ ...scope, state: this.state })
    await started
    return this.#phase === 'running'
  }

  /** Resolves once the part has shut down; rejects with `LifespanFailed`. */
  async stop(): Promise<void> {
    if (this.#phase === 'running') {
      this.#phase = 'stopping'
      const stopped = this.#settled()
      this.#askShutdown()
      await stopped
    } else if (this.#failure !== null) {
      throw this.#failure
    }
  }

  #settled(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = (failure) => {
        this.#settle = null
        if (failure === null) resolve()
        else reject(failure)
      }
    })
  }

  async #run(scope: LifespanScope): Promise<void> {
    try {
      await this.#app(scope, this.#receive, this.#send)
      this.#phase = 'over'
    } catch (error) {
      // A part that says so, or throws without having asked for an event, has no lifespan.
      const none = this.#received === 0 || (Object(error) as { readonly code?: unknown }).code === 'ERR_TSGI_UNSUPPORTED_SCOPE'
      if (this.#failure !== null) this.#failure.cause = error
      else if (!none || this.#phase !== 'starting') this.#failure = new LifespanFailed(error instanceof Error ? error.message : String(error), { cause: error })
      this.#phase = 'over'
    }
    this.#settle?.(this.#failure)
  }

  readonly #receive: Receive = async () => {
    this.#received++
    if (this.#received === 1) return { type: 'lifespan.startup' }
    if (this.#received > 2) return new Promise(() => {})
    await this.#shutdownAsked
    return { type: 'lifespan.shutdown' }
  }

  readonly #send: Send = async (event: SendEvent) => {
    const type: unknown = event?.type
    if (!expected.starting.includes(type as string) && !expected.stopping.includes(type as string)) {
      throw new InvalidEvent('send', 'type', 'the type of an event that may be sent in the lifespan', type)
    }
    if (!expected[this.#phase].includes(event.type)) throw new UnexpectedEvent(event.type, expected[this.#phase])
    this.#phase = event.type === 'lifespan.startup.complete' ? 'running' : 'over'
    if (event.type !== 'lifespan.startup.failed' && event.type !== 'lifespan.shutdown.failed') return this.#settle?.(null)
    const failure = new LifespanFailed(event.message ?? 'no reason was given')
    this.#failure = failure
    // The part has a moment to throw the cause.
    setImmediate(() => this.#settle?.(failure))
  }
}
