/** Starts the Django site in `site/` on uWSGI, with a database and a socket in a folder of its own. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Debian's interpreter, for which its Django is installed. */
const PYTHON = '/usr/bin/python3'

export interface Site {
  /** Its address for `fromUwsgi`. */
  readonly upstream: string
  /** Ends uWSGI and removes the folder. */
  stop(): Promise<void>
}

/** Whether uWSGI and Django are there. */
export function hasDjango(): boolean {
  try {
    execFileSync('sh', ['-c', `command -v uwsgi_python3 && ${PYTHON} -c 'import importlib.util as u, sys; sys.exit(u.find_spec("django") is None)'`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export async function startSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'tsgi-django-'))
  const site = join(folder, 'site')
  const socket = join(folder, 'uwsgi.sock')
  try {
    // A copy: Python writes compiled code beside the sources.
    await cp(join(import.meta.dirname, 'site'), site, { recursive: true })
    const env = { ...process.env, DJANGO_DATA: folder, DJANGO_SUPERUSER_PASSWORD: 'admin' }
    const manage = (...args: readonly string[]): Promise<unknown> => run(PYTHON, ['manage.py', ...args], { cwd: site, env })
    await manage('migrate', '--verbosity', '0')
    await manage('createsuperuser', '--noinput', '--username', 'admin', '--email', 'admin@example.com')
    const child = spawn('uwsgi_python3', [
      '--master', '--processes', '2', '--die-on-term', '--no-orphans', '--disable-logging', '--need-app',
      '--socket', socket, '--chdir', site, '--module', 'wsgi', '--buffer-size', '32768',
    ], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
    let failure: Error | null = null
    child.on('error', (error) => (failure = error))
    const ended = once(child, 'close').catch(() => {})
    const stop = async (): Promise<void> => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true, force: true })
    }
    while (!await answers(socket)) {
      if (failure !== null || child.exitCode !== null) throw new Error(`uWSGI has not started: ${String(failure ?? said)}`)
      await sleep(50)
    }
    return { upstream: `uwsgi:${socket}`, stop }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.on('connect', () => {
      probe.destroy()
      resolve(true)
    }).on('error', () => resolve(false))
  })
}
