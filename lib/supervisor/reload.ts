import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bindsOf } from '../server/binds.ts'
import { loadCertificates } from '../server/certificates.ts'
import { listenAll, logAcceptErrors, type Door } from '../server/listen.ts'
import type { ModuleRef } from '../server/load.ts'
import type { Log } from '../server/log.ts'
import type { CompleteOptions } from '../server/options.ts'
import { onHangUp } from './hang-up.ts'
import { WORKER_VARIABLE, type FromWorker, type ToWorker } from './reload-worker.ts'
import { onStopSignals } from './stop-signals.ts'
import { watchSources } from './watch.ts'

/** Seconds that running requests have when the code changes. */
const RELOAD_GRACE = 2
/** Milliseconds that the first request of a connection that was just handed over has to arrive before its worker stops. */
const HANDED_OVER = 100

export interface ReloadSettings {
  readonly application: ModuleRef
  readonly options: CompleteOptions
  readonly log: Log
  /** Hears of the URLs once the first worker serves. */
  started(urls: readonly string[]): void
}

/**
 * Runs the same command in a child process and restarts it when a source file changes. This process accepts the
 * connections and hands them over; while there is no worker they wait, so none is refused. Ends with the process.
 */
export async function superviseReload({ application, options, log, started }: ReloadSettings): Promise<void> {
  const waiting: (readonly [Socket, Door])[] = []
  let worker: ChildProcess | null = null
  let ready = false
  let restart = false
  let stopping = false
  let announced = false

  // A certificate that cannot be used ends the command here as it does without reload.
  loadCertificates(options)
  const ports = await listenAll(bindsOf(options), options.backlog, (socket, door) => {
    socket.on('error', () => {})
    waiting.push([socket, door])
    handOver()
  }, true)
  for (const { listener } of ports) logAcceptErrors(listener, log)

  function tell(message: ToWorker, socket?: Socket): void {
    if (worker?.connected === true) worker.send(message, socket, { keepOpen: false }, () => {})
  }

  function handOver(): void {
    if (!ready) return
    for (const [socket, door] of waiting.splice(0)) if (!socket.destroyed) tell({ type: 'connection', door }, socket)
  }

  function startWorker(): void {
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, [WORKER_VARIABLE]: '1' },
    })
    worker = child
    child.on('message', (message: FromWorker) => {
      if (message.type !== 'ready' || restart) return
      ready = true
      if (!announced) started(ports.map(({ url }) => url))
      announced = true
      handOver()
    })
    // A worker that crashes hears nothing from here on: its connections wait for the next one.
    child.on('disconnect', () => {
      if (worker === child) ready = false
    })
    child.on('exit', (code) => {
      worker = null
      ready = false
      if (stopping) process.exit(code ?? 0)
      if (restart) {
        restart = false
        startWorker()
      } else {
        log.warn('the application is not running; it starts again when a source file changes')
      }
    })
  }

  const roots = [dirname(fileURLToPath(application))]
  if (!relative(process.cwd(), roots[0] ?? '').startsWith('..')) roots.push(process.cwd())
  watchSources(roots, (path) => {
    if (stopping) return
    log.info(`${relative(process.cwd(), path)} has changed, restarting`)
    if (worker === null) return startWorker()
    const old = worker
    restart = true
    setTimeout(() => {
      if (worker === old) tell({ type: 'stop', timeout: RELOAD_GRACE })
    }, ready ? HANDED_OVER : 0)
    ready = false
    // One that has not come up yet, or hangs, hears nothing.
    setTimeout(() => old.kill('SIGKILL'), (RELOAD_GRACE + 3) * 1000).unref()
  })

  if (options.tlsCert !== undefined) onHangUp(() => tell({ type: 'certificates' }))
  onStopSignals(
    () => {
      stopping = true
      for (const { listener } of ports) listener.close()
      for (const [socket] of waiting) socket.destroy()
      if (worker === null) process.exit(0)
      log.info('stopping')
      tell({ type: 'stop', timeout: options.timeoutGracefulShutdown })
    },
    (exitCode) => {
      worker?.kill('SIGKILL')
      process.exit(exitCode)
    },
  )
  startWorker()
}
