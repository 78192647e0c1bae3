import { readFileSync } from 'node:fs'
import { InvalidOption, LifespanFailed, LoadFailed, TsgiError, UsageError } from '../contract/errors.ts'
import { withInheritedSockets } from '../server/binds.ts'
import { Log } from '../server/log.ts'
import { completeOptions } from '../server/options.ts'
import { Server } from '../server/server.ts'
import { onHangUp } from '../supervisor/hang-up.ts'
import { isReloadWorker, reloadCertificates, runReloadWorker } from '../supervisor/reload-worker.ts'
import { superviseReload } from '../supervisor/reload.ts'
import { configureSharedPool } from '../threads/pool.ts'
import { applicationRef, prepareFor } from './application-ref.ts'
import { runCgi } from './cgi.ts'
import { helpText } from './help.ts'
import { loaderFor } from './interface.ts'
import { parseCommandLine } from './parse.ts'
import { stopOnSignals } from './stop.ts'
import { isSyntaxError, located } from './syntax-error.ts'

/** What `main` may be told by the program that calls it. */
export interface MainOptions {
  /** The application when the command line names none. */
  readonly defaultApplication?: string
}

/** Runs the command. Ends the process: 0 after a stop by signal, 2 for a wrong command line, 1 for what fails later. */
export async function main(args: readonly string[], options: MainOptions = {}): Promise<void> {
  // A reader that goes away (`| head`) does not end the server.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  try {
    await run(args, options)
  } catch (error) {
    fail(error, args.some((argument, index) => argument === '--log-level=debug' || (argument === 'debug' && args[index - 1] === '--log-level')))
  }
}

async function run(args: readonly string[], { defaultApplication }: MainOptions): Promise<void> {
  if (args[0] === 'cgi') return runCgi(args.slice(1))
  const line = parseCommandLine(args)
  if (line.help) {
    console.log(helpText())
    return
  }
  if (line.version) {
    console.log(version())
    return
  }
  const named = line.application ?? defaultApplication
  if (named === undefined) throw new UsageError('no application: tsgi PATH[:EXPORT] [options]; --help tells more')
  const ref = applicationRef(named)
  const options = withInheritedSockets(line.options)
  const complete = completeOptions(options)
  const log = new Log(complete.logLevel)
  const server = new Server(ref, options, loaderFor(line.interface))
  const startLine = (urls: readonly string[]): void => log.info(`tsgi ${version()} serves ${named} on ${urls.join(' and ')} (Ctrl+C stops it)`)
  const worker = isReloadWorker()
  if (line.reload && !worker) return superviseReload({ application: ref, options: complete, log, started: startLine })
  configureSharedPool({ threads: line.threads, queueLimit: line.threadQueue })
  await prepareFor(ref)
  // Before the start: an application that starts for long, and whoever reads the start-up line, may be sent a signal.
  if (!worker) {
    stopOnSignals(server, complete.timeoutGracefulShutdown, log)
    if (complete.tlsCert !== undefined) onHangUp(() => reloadCertificates(server, log))
  }
  try {
    if (worker) await runReloadWorker(server, log)
    else await server.start()
  } catch (error) {
    throw located(error, ref)
  }
  surviveStrayErrors(log)
  if (worker) return
  startLine(server.urls)
}

/** An error that reaches nobody (a promise nobody awaits, a timer's callback) is logged; the requests of others go on. */
function surviveStrayErrors(log: Log): void {
  process.on('unhandledRejection', (reason) => log.error('a promise was rejected and nobody took it', reason))
  process.on('uncaughtException', (error) => log.error('an exception was thrown and nobody caught it', error))
}

function fail(error: unknown, debug: boolean): void {
  const usage = error instanceof UsageError || error instanceof InvalidOption || (error instanceof LoadFailed && error.cause === undefined)
  if (error instanceof TsgiError && !debug) process.stderr.write(`tsgi: ${oneLine(flagged(error))}${whereToLook(error)}\n`)
  else process.stderr.write(`tsgi: ${error instanceof Error ? `${error.stack}${error.cause instanceof Error ? `\ncaused by: ${error.cause.stack}` : ''}` : String(error)}\n`)
  process.exit(usage ? 2 : 1)
}

/** An application's own message may have several lines. */
function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*[\r\n]\s*/g, ' ')
}

/** Says how to see the stack of an error of the application; a syntax error has none that would help. */
function whereToLook(error: TsgiError): string {
  const ofApplication = (error instanceof LoadFailed || error instanceof LifespanFailed) && error.cause instanceof Error
  return ofApplication && !isSyntaxError(error.cause) ? ' (--log-level debug shows the stack)' : ''
}

/** The message; an option is named as the command line has it. */
function flagged(error: TsgiError): string {
  if (!(error instanceof InvalidOption)) return error.message
  return error.message.replace(/^[a-zA-Z]+/, (key) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`)
}

function version(): string {
  // The file lies two folders up in the sources and three in dist.
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string }).version
    } catch {
      continue
    }
  }
  return 'of unknown version'
}
