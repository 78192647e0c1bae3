/**
 * Where the site keeps its data: one folder, for all threads. It is `SITE_DATA`, or else one in the system's folder for
 * temporary files, for the process and the user: several processes that serve one site need the variable.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { isMainThread, threadId } from 'node:worker_threads'

const DAY = 24 * 3600_000
const named = process.env['SITE_DATA'] ?? ''

/** The folder. Threads share their process's number. */
export const folder: string = named === '' ? join(temporaryPlace(), String(process.pid)) : resolve(named)

/** The folder of the pictures. */
export const pictures: string = join(folder, 'pictures')

mkdirSync(pictures, { recursive: true, mode: 0o700 })
if (named === '' && isMainThread) process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

/** What signs cookies: made by who comes first, and the same for all. */
export const secret: string = made(join(folder, 'secret'), () => randomBytes(32).toString('base64url'))

function made(path: string, content: () => string): string {
  const own = `${path}.${process.pid}.${threadId}`
  writeFileSync(own, content(), { mode: 0o600 })
  try {
    // Nobody sees it before it is whole.
    linkSync(own, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(own)
  }
  return readFileSync(path, 'utf8')
}

function temporaryPlace(): string {
  const uid = process.getuid?.()
  const place = join(tmpdir(), `tsgi-site-${uid ?? userInfo().username}`)
  mkdirSync(place, { recursive: true, mode: 0o700 })
  // Anybody may write beside it, so it may be somebody else's trap.
  const found = lstatSync(place)
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid)) throw new Error(`${place} is not yours: set SITE_DATA`)
  for (const name of readdirSync(place)) removeOld(join(place, name), Number(name))
  return place
}

/** Removes what a process left that is gone, a day later. */
function removeOld(path: string, pid: number): void {
  const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity
  if (changed < Date.now() - DAY && !runs(pid)) rmSync(path, { recursive: true, force: true })
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
