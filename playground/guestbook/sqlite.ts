/** SQLite by calls that block: Node's own where it has it (22.13 and later), or else one in WebAssembly. */
import { rmdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'

/** What SQLite stores. */
export type Value = number | bigint | string | Uint8Array | null

/** A database, open. Every call waits for its turn while another thread writes. */
export interface Sqlite {
  /** Runs one or more statements without values. */
  exec(sql: string): void
  run(sql: string, ...values: Value[]): { readonly changes: number; readonly id: number }
  /** The first row. */
  get<Row>(sql: string, ...values: Value[]): Row | null
  all<Row>(sql: string, ...values: Value[]): Row[]
}

/** Milliseconds that a call waits for its turn. */
const PATIENCE = 5000

/** Opens a file, and makes it if it is missing. */
export function openSqlite(path: string): Sqlite {
  const builtin = process.getBuiltinModule('node:sqlite') as { readonly DatabaseSync: new (path: string) => NodeDatabase } | undefined
  return builtin === undefined ? openWasm(path) : openNode(new builtin.DatabaseSync(path))
}

interface Ran {
  readonly changes: number | bigint
  readonly lastInsertRowid: number | bigint
}

// Parts of both drivers' types: those of Node 20 know no `node:sqlite`.
interface NodeDatabase {
  exec(sql: string): void
  prepare(sql: string): { run(...values: Value[]): Ran; get(...values: Value[]): unknown; all(...values: Value[]): unknown[] }
}

interface WasmDatabase {
  exec(sql: string): void
  run(sql: string, values: readonly Value[]): Ran
  get(sql: string, values: readonly Value[]): unknown
  all(sql: string, values: readonly Value[]): unknown[]
}

function openNode(database: NodeDatabase): Sqlite {
  // With a write-ahead log nobody who reads waits for one who writes.
  database.exec(`PRAGMA busy_timeout = ${PATIENCE}`)
  retried(() => database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL'))
  return {
    exec: (sql) => database.exec(sql),
    run: (sql, ...values) => ran(database.prepare(sql).run(...values)),
    get: <Row>(sql: string, ...values: Value[]) => (database.prepare(sql).get(...values) ?? null) as Row | null,
    all: <Row>(sql: string, ...values: Value[]) => database.prepare(sql).all(...values) as Row[],
  }
}

/**
 * It has no shared memory, so no write-ahead log. A statement locks the whole file, by making a folder beside it; and its own
 * way of waiting for that keeps a processor busy.
 */
function openWasm(path: string): Sqlite {
  const { Database } = createRequire(import.meta.url)('node-sqlite3-wasm') as { readonly Database: new (path: string) => WasmDatabase }
  const database = new Database(path)
  const lock = `${path}.lock`
  const patiently = <Result>(work: () => Result): Result => retried(work, lock)
  return {
    exec: (sql) => patiently(() => database.exec(sql)),
    run: (sql, ...values) => ran(patiently(() => database.run(sql, values))),
    get: <Row>(sql: string, ...values: Value[]) => patiently(() => database.get(sql, values)) as Row | null,
    all: <Row>(sql: string, ...values: Value[]) => patiently(() => database.all(sql, values)) as Row[],
  }
}

function ran({ changes, lastInsertRowid }: Ran): { readonly changes: number; readonly id: number } {
  return { changes: Number(changes), id: Number(lastInsertRowid) }
}

const never = new Int32Array(new SharedArrayBuffer(4))

/** Tries again while the database is locked. A lock that stayed the same all the while is that of a thread that died: it is broken, once. */
function retried<Result>(work: () => Result, lock?: string): Result {
  const began = performance.now()
  let first: string | null = null
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('database is locked')) throw error
      const late = performance.now() - began > PATIENCE
      if (late && (lock === undefined || first === null || first !== identity(lock))) throw error
      if (late && lock !== undefined) rmdirSync(lock)
      else if (lock !== undefined) first ??= identity(lock)
    }
    // Sleeps; not for the same time everywhere, so that two do not meet again and again.
    Atomics.wait(never, 0, 0, 1 + Math.random() * 9)
  }
}

function identity(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? null : `${found.ino} ${found.mtimeMs}`
}
