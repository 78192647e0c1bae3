import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { pinned } from './processors.ts'

/** What the load client of a server is to do. */
export interface WebSocketOrders {
  readonly url: string
  readonly connections: number
  /** Each connection gets its messages back, or all get those of the first. */
  readonly pattern: 'echo' | 'broadcast'
  /** How many messages are sent in one write before all of them are waited for: 1, 2, 4, 8 or 16. */
  readonly inFlight: number
  /** Seconds that the last messages may take. */
  readonly patience: number
}

/** What the load client says: once it has connected, then after each run. */
export type WebSocketAnswer = { readonly messages: number } | { readonly error: string }

/** A load client that stays connected from one run to the next, so that handshakes are not part of what is measured. */
export class WebSocketLoad {
  readonly child: ChildProcess
  #failure: Error | null = null
  #answered: (messages: number) => void = () => {}
  #failed: (error: Error) => void = () => {}

  private constructor(orders: WebSocketOrders, processor: number | null) {
    const program = fileURLToPath(new URL('websocket-client.ts', import.meta.url))
    const [command, args] = pinned(processor, process.execPath, ['--import', import.meta.resolve('tsx'), program, JSON.stringify(orders)])
    this.child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const take = (answer: WebSocketAnswer): void => {
      if ('messages' in answer) return this.#answered(answer.messages)
      this.#failure ??= new Error(`${orders.url}: ${answer.error}`)
      this.#failed(this.#failure)
    }
    this.child.on('message', take)
    this.child.on('error', (error) => take({ error: error.message }))
    this.child.on('close', (code) => take({ error: `the load client ended with code ${code}` }))
  }

  /** Starts the client; resolves once all its connections are open. */
  static async start(orders: WebSocketOrders, processor: number | null): Promise<WebSocketLoad> {
    const load = new WebSocketLoad(orders, processor)
    try {
      await load.#answer()
      return load
    } catch (error) {
      await load.stop()
      throw error
    }
  }

  /** Loads the server for a while. Resolves to how many messages it has sent, and fails if any was wrong or missing. */
  async run(seconds: number): Promise<number> {
    const answer = this.#answer()
    // A client that is gone has failed, which `answer` says.
    if (this.#failure === null) this.child.send(seconds, () => {})
    return answer
  }

  /** Ends the client. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const closed = once(this.child, 'close')
    this.child.kill('SIGKILL')
    await closed
  }

  #answer(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure)
      this.#answered = resolve
      this.#failed = reject
    })
  }
}
