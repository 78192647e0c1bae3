import { isatty } from 'node:tty'

/** Calls `reload` on SIGHUP. When it was the terminal that hung up, the process stops, as it would without a handler. */
export function onHangUp(reload: () => void): void {
  const terminal = isatty(0)
  process.on('SIGHUP', () => {
    if (terminal && !isatty(0)) process.kill(process.pid, 'SIGTERM')
    else reload()
  })
}
