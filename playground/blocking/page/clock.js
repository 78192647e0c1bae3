/** Milliseconds without a tick from which on the clock counts as late: some ticks more than one. */
export const LATE = 400
/** Milliseconds that the strip shows. */
const SPAN = 10_000

/** Listens to the clock at `url`, and remembers when it ticked. */
export class Clock {
  /** The time of the server, or null. */
  time = null
  /** The longest that the page had to wait for a tick so far, and waits now. */
  #largest = 0
  #ticks = []
  #source

  /** `changed` is called with the word for the state of the line. */
  constructor(url, changed) {
    this.#source = new EventSource(url)
    this.#source.addEventListener('open', () => changed('The clock ticks.'))
    this.#source.addEventListener('error', () => {
      // The wait for a server that is away is no gap of its clock.
      this.#ticks = []
      changed('The server is away, trying again.')
    })
    this.#source.addEventListener('message', ({ data }) => {
      this.#largest = this.largest
      this.time = new Date(Number(data))
      const now = performance.now()
      this.#ticks = [...this.#ticks.filter((tick) => now - tick < SPAN), now]
    })
  }

  get since() {
    return this.#ticks.length === 0 ? 0 : performance.now() - this.#ticks.at(-1)
  }

  get largest() {
    return Math.max(this.#largest, this.since)
  }

  forget() {
    this.#largest = 0
  }

  close() {
    this.#source.close()
  }

  /** Draws a line for each tick, the newest at the right edge. */
  draw(canvas) {
    const ratio = devicePixelRatio
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)]
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
    const context = canvas.getContext('2d')
    context.clearRect(0, 0, width, height)
    context.fillStyle = getComputedStyle(canvas).color
    const now = performance.now()
    for (const tick of this.#ticks) context.fillRect(width * (1 - (now - tick) / SPAN), 0, Math.max(1, 1.5 * ratio), height)
  }
}
