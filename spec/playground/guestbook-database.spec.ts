import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { onThreads, ThreadPool } from '../../lib/threads/index.ts'
import guestbook from '../../playground/guestbook/app.ts'
import { database, EXAMPLE_PASSWORD } from '../../playground/guestbook/database.ts'
import type * as entries from '../../playground/guestbook/entries.ts'
import { suite } from '../support/suite.ts'
import { ownDatabase, Visitor } from './guestbook-driver.ts'

const test = suite('playground guestbook: the database')

test('neither the password nor the secret of a session is in the database', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  visitor.post('/login', { csrf: visitor.token('/login'), password: EXAMPLE_PASSWORD })
  const rows = JSON.stringify([database().all('SELECT * FROM sessions'), database().all('SELECT * FROM settings')])
  assert.match(rows, /"owner":1/)
  assert.not.match(rows, EXAMPLE_PASSWORD)
  assert.not.match(rows, visitor.cookie?.slice('guestbook='.length) ?? '')
})

test('threads make the tables once, and write at the same time without loss', async (t) => {
  ownDatabase(t)
  const pool = new ThreadPool({ threads: 4 })
  t.after(() => pool.close())
  const threads = onThreads<typeof entries>(new URL('../../playground/guestbook/entries.ts', import.meta.url), { pool })
  const ids = await Promise.all(Array.from({ length: 80 }, (_, index) => threads.addEntry({ name: `T${index}`, place: '', message: 'Hello' }, null)))
  assert.is(pool.stats.threads, 4)
  assert.equal(ids.sort((a, b) => a - b), Array.from({ length: 80 }, (_, index) => 13 + index))
  assert.is(database().get<{ n: number }>('SELECT count(DISTINCT name) AS n FROM entries WHERE message = \'Hello\'')?.n, 80)
}, 40)

test('a lock of a thread that died is broken after a while', (t) => {
  const path = ownDatabase(t)
  database()
  mkdirSync(`${path}.lock`)
  t.after(() => rmSync(`${path}.lock`, { recursive: true, force: true }))
  assert.is(database().get<{ n: number }>('SELECT count(*) AS n FROM entries')?.n, 12)
}, 20)

test('without GUESTBOOK_DB the book is in a folder that is the user\'s alone, and what dead processes left goes after a day', (t) => {
  const path = ownDatabase(t)
  const before = process.env['TMPDIR']
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })
  delete process.env['GUESTBOOK_DB']
  process.env['TMPDIR'] = dirname(path)
  const folder = join(tmpdir(), `tsgi-guestbook-${userInfo().uid}`)
  symlinkSync(dirname(path), folder)
  assert.throws(() => database(), /is not yours: set GUESTBOOK_DB/)

  rmSync(folder)
  mkdirSync(folder, { mode: 0o700 })
  // No process has a number that large (Linux: pid_max).
  const dead = 2 ** 22 + 1
  const old = Date.now() / 1000 - 25 * 3600
  for (const [name, time] of [[`${dead}.sqlite`, old], [`${dead}.sqlite-wal`, old], [`${dead + 1}.sqlite`, Date.now() / 1000], [`${process.ppid}.sqlite`, old]] as const) {
    writeFileSync(join(folder, name), '')
    utimesSync(join(folder, name), time, time)
  }
  assert.is(database().get<{ n: number }>('SELECT count(*) AS n FROM entries')?.n, 12)
  assert.is(statSync(folder).mode & 0o777, 0o700)
  const names = readdirSync(folder).filter((name) => /\.sqlite(?:-wal)?$/.test(name) && !name.startsWith(`${process.pid}.sqlite-`))
  assert.equal(names.sort(), [`${dead + 1}.sqlite`, `${process.pid}.sqlite`, `${process.ppid}.sqlite`].sort())
})

test.run()
