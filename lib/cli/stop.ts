import type { Log } from '../server/log.ts'
import type { Server } from '../server/server.ts'
import { onStopSignals } from '../supervisor/stop-signals.ts'

/** Stops the server on SIGINT or SIGTERM and ends the process with 0; a second signal ends it at once. */
export function stopOnSignals(server: Server, timeout: number, log: Log): void {
  onStopSignals(
    () => {
      log.info(stopLine(server.running, timeout))
      void stop(server, log)
    },
    (exitCode) => {
      log.flush()
      process.exit(exitCode)
    },
  )
}

function stopLine(running: number, timeout: number): string {
  if (running === 0) return 'stopping'
  const requests = running === 1 ? '1 request' : `${running} requests`
  return `stopping: waits for ${requests}${timeout === 0 ? '' : `, at most ${timeout} seconds`}; a second signal ends at once`
}

async function stop(server: Server, log: Log): Promise<void> {
  let code = 0
  try {
    await server.close()
  } catch (error) {
    log.error('stopped with an error', error)
    code = 1
  }
  process.exit(code)
}
