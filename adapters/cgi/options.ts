import { accessSync, constants, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import type { Application } from '../../lib/contract/application.ts'
import { InvalidOption, LoadFailed } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'

/** Variables of a program's environment. */
export type Variables = Readonly<Record<string, string>>

/** How a program is run. */
export interface FromCgiOptions {
  /** Arguments. Those of RFC 3875 4.4, made of the query, are never given. Default: none. */
  readonly args?: readonly string[] | undefined
  /** The file that the program is to run, for one that runs such files, like `php-cgi`: SCRIPT_FILENAME. Default: none, which makes it the program. */
  readonly script?: string | undefined
  /** The folder that it starts in. Default: that of the script, or of the program. */
  readonly cwd?: string | undefined
  /** Variables beside those of CGI, which they replace; a function gives those of one request. Nothing of this process's own is passed on. Default: none. */
  readonly env?: Variables | ((scope: HttpScope) => Variables) | undefined
  /** Seconds without a byte, in or out, while the program has the turn; then 504, or the response is broken off. 0 is no limit. Default: 60. */
  readonly timeout?: number | undefined
  /** Seconds between SIGTERM and SIGKILL. Default: 2. */
  readonly grace?: number | undefined
  /** Programs that run at the same time. Default: 32. */
  readonly concurrency?: number | undefined
  /** Requests that wait while so many run; one more is answered with 503. Default: 1000. */
  readonly queueLimit?: number | undefined
  /** Bytes of the head of a response; a longer one is answered with 502. Default: 65536. */
  readonly headLimit?: number | undefined
  /** Whether a body of unknown length is kept in a file until its length is known; if not, it is answered with 411. Default: true. */
  readonly spool?: boolean | undefined
  /** Bytes of such a body; a longer one is answered with 413. 0 is no limit. Default: 1073741824. */
  readonly spoolLimit?: number | undefined
  /** The folder for such files. Default: that of the system. */
  readonly spoolFolder?: string | undefined
  /** Whether the program gets HTTP_AUTHORIZATION, with the passwords in it. Default: false. */
  readonly authorization?: boolean | undefined
  /** Whether the program writes a whole HTTP response. Default: if its name begins with `nph-`. */
  readonly nph?: boolean | undefined
  /** The folder that PATH_INFO is a path in: gives DOCUMENT_ROOT and PATH_TRANSLATED. Default: none. */
  readonly documentRoot?: string | undefined
  /** What answers for a `Location` that is a path. Default: the client, which is told by a 302. */
  readonly localRedirect?: Application | undefined
  /** Whether a program may end with any code. A signal breaks the response off all the same. Default: false. */
  readonly ignoreExitCode?: boolean | undefined
  /** Hears what the program writes to stderr, line by line, and why a request failed. Default: `console.error`. */
  readonly log?: ((line: string) => void) | undefined
}

/** The options, complete and checked. */
export interface CgiSettings {
  /** The name of the program, for messages. */
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly script: string | null
  readonly cwd: string
  readonly env: Variables | ((scope: HttpScope) => Variables)
  readonly timeout: number
  readonly grace: number
  readonly concurrency: number
  readonly queueLimit: number
  readonly headLimit: number
  readonly spool: boolean
  readonly spoolLimit: number
  readonly spoolFolder: string
  readonly authorization: boolean
  readonly nph: boolean
  readonly documentRoot: string | null
  readonly localRedirect: Application | null
  readonly ignoreExitCode: boolean
  readonly log: (line: string) => void
}

/** Where programs are looked for, and find others. */
export const PATH = '/usr/local/bin:/usr/bin:/bin'

/** Completes the options. Throws `InvalidOption`, and `LoadFailed` where there is no such program. */
export function cgiSettings(program: string, options: FromCgiOptions): CgiSettings {
  const { env = {}, cwd } = options
  const file = findProgram(program, typeof env === 'object' ? env['PATH'] ?? PATH : PATH)
  const name = basename(program)
  const script = options.script === undefined ? null : resolve(options.script)
  if (script !== null) checkScript(script)
  const folder = resolve(cwd ?? dirname(script ?? file))
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw new InvalidOption('cwd', 'a folder', cwd)
  return {
    name,
    file,
    args: options.args ?? [],
    script,
    cwd: folder,
    env,
    timeout: number('timeout', options.timeout ?? 60, 0, false),
    grace: number('grace', options.grace ?? 2, 0, false),
    concurrency: number('concurrency', options.concurrency ?? 32, 1),
    queueLimit: number('queueLimit', options.queueLimit ?? 1000, 0),
    headLimit: number('headLimit', options.headLimit ?? 65536, 1),
    spool: options.spool ?? true,
    spoolLimit: number('spoolLimit', options.spoolLimit ?? 2 ** 30, 0) || Infinity,
    spoolFolder: options.spoolFolder ?? tmpdir(),
    authorization: options.authorization ?? false,
    nph: options.nph ?? name.startsWith('nph-'),
    documentRoot: options.documentRoot === undefined ? null : resolve(options.documentRoot),
    localRedirect: options.localRedirect ?? null,
    ignoreExitCode: options.ignoreExitCode ?? false,
    log: options.log ?? ((line) => console.error(line)),
  }
}

function number(option: string, value: number, least: number, whole = true): number {
  const valid = (whole ? Number.isSafeInteger(value) : Number.isFinite(value)) && value >= least
  if (!valid) throw new InvalidOption(option, `a ${whole ? 'whole ' : ''}number, ${least} or more`, value)
  return value
}

function checkScript(script: string): void {
  try {
    accessSync(script, constants.R_OK)
  } catch (error) {
    throw new LoadFailed(`${script}: no script that can be read`, { cause: error })
  }
}

/** A name without a slash is looked up in the path, as a shell does. */
function findProgram(program: string, path: string): string {
  const candidates = program.includes('/') ? [resolve(program)] : path.split(delimiter).map((folder) => join(folder, program))
  const found = candidates.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true)
  if (found === undefined) throw new LoadFailed(`${program}: no such program${program.includes('/') ? '' : ` in ${path}`}`)
  try {
    accessSync(found, constants.X_OK)
  } catch (error) {
    throw new LoadFailed(`${program}: not executable`, { cause: error })
  }
  return found
}
