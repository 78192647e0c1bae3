/**
 * Where the guestbook is: one file for all threads. A thread keeps its own handle, which is the one thing here that is not
 * shared. The file is `GUESTBOOK_DB`, or else one in the system's folder for temporary files, for the process and the user:
 * several processes that serve one book need the variable.
 */
import { lstatSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { hashPassword } from './passwords.ts'
import { seedEntries } from './seed.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'

/** The password of the owner where `GUESTBOOK_PASSWORD` names none when the book is made. */
export const EXAMPLE_PASSWORD = 'visitors'

interface Opened extends Sqlite {
  /** The folder of the pictures. */
  readonly pictures: string
}

const handles = new Map<string, Opened>()

/** The database of this thread, with its tables. */
export function database(): Opened {
  const named = process.env['GUESTBOOK_DB'] ?? ''
  let handle = handles.get(named)
  if (handle === undefined) {
    const path = named === '' ? temporaryPath() : resolve(named)
    const pictures = `${path}-pictures`
    mkdirSync(pictures, { recursive: true, mode: 0o700 })
    handle = { ...openSqlite(path), pictures }
    makeTables(handle)
    handles.set(named, handle)
  }
  return handle
}

/** Makes the tables and the first entries, unless another thread or process has. */
function makeTables(database: Sqlite): void {
  if (database.get<{ user_version: number }>('PRAGMA user_version')?.user_version === 1) return
  const password = hashPassword(process.env['GUESTBOOK_PASSWORD'] ?? EXAMPLE_PASSWORD)
  database.exec('BEGIN IMMEDIATE')
  try {
    database.exec(`
      CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, place TEXT NOT NULL, message TEXT NOT NULL,
        created INTEGER NOT NULL, session TEXT, picture TEXT, type TEXT, size INTEGER
      );
      CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, csrf TEXT NOT NULL, owner INTEGER NOT NULL, flash TEXT, expires INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);`)
    const { changes } = database.run('INSERT OR IGNORE INTO settings VALUES (\'password\', ?)', password)
    if (changes === 1) {
      for (const { name, place, message, created } of seedEntries) {
        database.run('INSERT INTO entries (name, place, message, created) VALUES (?, ?, ?, ?)', name, place, message, Date.parse(created))
      }
    }
    database.exec('PRAGMA user_version = 1')
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

const DAY = 24 * 3600_000

/** Threads share their process's number. */
function temporaryPath(): string {
  const uid = process.getuid?.()
  const folder = join(tmpdir(), `tsgi-guestbook-${uid ?? userInfo().username}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Anybody may write beside it, so it may be somebody else's trap.
  const found = lstatSync(folder)
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid)) throw new Error(`${folder} is not yours: set GUESTBOOK_DB`)
  removeOld(folder)
  return join(folder, `${process.pid}.sqlite`)
}

/** Removes what processes left that are gone, a day later. */
function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity
    if (changed < Date.now() - DAY && !runs(Number.parseInt(name, 10))) rmSync(path, { recursive: true, force: true })
  }
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
