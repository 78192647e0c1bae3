/** The pause before the first new attempt, and the longest one, in milliseconds. */
const SHORTEST = 500
const LONGEST = 15_000

/**
 * A WebSocket for JSON that comes back by itself. When it breaks, it tries again after a pause, which doubles with each
 * failure and is partly random, or else all the pages would come back to a server that restarts at the same moment.
 *
 * `on` has a function for each thing that happens: `connecting()`, `open()`, `heard(object)`, `away(pause)`, and
 * `ended(reason)` when the server said by a close code of 4000 or more that there is nothing to come back to.
 */
export class Connection {
  #url
  #on
  #socket = null
  #timer = null
  #failures = 0

  constructor(url, on) {
    this.#url = url
    this.#on = on
    // On a new network an old socket is dead, even if it does not know yet.
    addEventListener('online', () => { if (this.#socket !== null || this.#timer !== null) this.open() })
    // Somebody looks: why sit the pause out?
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.retry() })
  }

  open() {
    this.close()
    this.#on.connecting()
    const socket = this.#socket = new WebSocket(this.#url)
    // A socket that `close` has let go may still have something to say.
    const listen = (type, listener) => socket.addEventListener(type, (event) => { if (socket === this.#socket) listener(event) })
    listen('open', () => this.#on.open())
    listen('message', ({ data }) => {
      this.#failures = 0
      this.#on.heard(JSON.parse(data))
    })
    listen('close', ({ code, reason }) => {
      this.#socket = null
      if (code >= 4000) return this.#on.ended(reason)
      const pause = Math.min(LONGEST, SHORTEST * 2 ** this.#failures++) * (0.5 + Math.random() / 2)
      this.#timer = setTimeout(() => this.open(), pause)
      this.#on.away(pause)
    })
  }

  /** Tries at once, if it is waiting to try. */
  retry() {
    if (this.#timer !== null) this.open()
  }

  /** Sends an object if the socket is open. */
  send(object) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(object))
  }

  /** Closes, and does not come back. */
  close() {
    clearTimeout(this.#timer)
    this.#timer = null
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }
}
