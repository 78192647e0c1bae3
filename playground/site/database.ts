/** The database: each thread has a handle of its own, which is the one thing here that is not shared. */
import { join } from 'node:path'
import { openSqlite, type Sqlite } from '../guestbook/sqlite.ts'
import { folder } from './data.ts'
import { hashPassword } from './passwords.ts'
import { seedPassword, seedPosts, seedUsers } from './seed.ts'

let handle: Sqlite | null = null

/** The database of this thread, with its tables. */
export function database(): Sqlite {
  if (handle === null) {
    const opened = openSqlite(join(folder, 'site.sqlite'))
    makeTables(opened)
    handle = opened
  }
  return handle
}

/** Makes the tables and what is in them at first, unless another thread or process has. */
function makeTables(database: Sqlite): void {
  if (database.get<{ user_version: number }>('PRAGMA user_version')?.user_version === 1) return
  const hash = hashPassword(process.env['SITE_PASSWORD'] ?? seedPassword)
  database.exec('BEGIN IMMEDIATE')
  try {
    database.exec(`
      CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS posts (
        id INTEGER PRIMARY KEY AUTOINCREMENT, author INTEGER NOT NULL REFERENCES users, title TEXT NOT NULL, body TEXT NOT NULL,
        day TEXT NOT NULL, picture TEXT, alt TEXT NOT NULL DEFAULT ''
      );`)
    for (const [index, name] of seedUsers.entries()) database.run('INSERT OR IGNORE INTO users VALUES (?, ?, ?)', index + 1, name, hash)
    if (database.get('SELECT 1 FROM posts') === null) {
      for (const { author, title, body, day } of seedPosts) {
        database.run('INSERT INTO posts (author, title, body, day) VALUES (?, ?, ?, ?)', seedUsers.indexOf(author) + 1, title, body, day)
      }
    }
    database.exec('PRAGMA user_version = 1')
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
