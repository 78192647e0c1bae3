/** The entries: what is asked of the database. */
import { database } from './database.ts'
import type { Picture } from './pictures.ts'

/** What a visitor writes. */
export interface Words {
  readonly name: string
  readonly place: string
  readonly message: string
}

export interface Entry extends Words {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly created: number
  /** The session that it was written in. */
  readonly session: string | null
  /** The picture, as its file's name, with its type and size. */
  readonly picture: string | null
  readonly type: string | null
  readonly size: number | null
}

/** A page of the list. */
export interface Listed {
  readonly entries: readonly Entry[]
  readonly total: number
  readonly pages: number
}

const PAGE_SIZE = 5
const EXPORT_SIZE = 100

/** The newest entries that contain a text, page by page. */
export function listEntries(search: string, page: number): Listed {
  const like = `%${search.replace(/[\\%_]/g, '\\$&')}%`
  const where = ['name', 'place', 'message'].map((column) => `${column} LIKE ? ESCAPE '\\'`).join(' OR ')
  const likes = [like, like, like]
  const total = database().get<{ total: number }>(`SELECT count(*) AS total FROM entries WHERE ${where}`, ...likes)?.total ?? 0
  const entries = database().all<Entry>(`SELECT * FROM entries WHERE ${where} ORDER BY id DESC LIMIT ? OFFSET ?`, ...likes, PAGE_SIZE, (page - 1) * PAGE_SIZE)
  return { entries, total, pages: Math.max(1, Math.ceil(total / PAGE_SIZE)) }
}

export function findEntry(id: number): Entry | null {
  return database().get<Entry>('SELECT * FROM entries WHERE id = ?', id)
}

/** Adds an entry; returns its id. */
export function addEntry({ name, place, message }: Words, session: string | null): number {
  return database().run('INSERT INTO entries (name, place, message, created, session) VALUES (?, ?, ?, ?, ?)', name, place, message, Date.now(), session).id
}

/** Gives an entry its picture; false where it is gone. */
export function setPicture(id: number, { file, type, size }: Picture): boolean {
  return database().run('UPDATE entries SET picture = ?, type = ?, size = ? WHERE id = ?', file, type, size, id).changes === 1
}

export function deleteEntry(id: number): void {
  database().run('DELETE FROM entries WHERE id = ?', id)
}

/**
 * All entries, the oldest first. No statement stays open between two of them: a client that reads slowly would keep the
 * database from all others.
 */
export function* everyEntry(): Generator<Entry, void, void> {
  let last = 0
  for (;;) {
    const entries = database().all<Entry>('SELECT * FROM entries WHERE id > ? ORDER BY id LIMIT ?', last, EXPORT_SIZE)
    yield* entries
    if (entries.length < EXPORT_SIZE) return
    last = entries.at(-1)?.id ?? last
  }
}
