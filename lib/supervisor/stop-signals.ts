/** A signal that comes again so soon is the same key press: the terminal's own, and the one that npm passes on. */
const SAME_PRESS = 500

/** Calls `first` on the first SIGINT or SIGTERM, and `again` on a second one, with the exit code that says so. */
export function onStopSignals(first: () => void, again: (exitCode: number) => void): void {
  let stoppedAt = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (stoppedAt === 0) {
      stoppedAt = now
      first()
    } else if (now - stoppedAt > SAME_PRESS) {
      again(signal === 'SIGINT' ? 130 : 143)
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}
