/** The site answers the same in both modes, each on a real server, started by the command. */
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { normal, ranTo } from './site-answers.ts'
import { modes, startBoth, startSite, Visitor } from './site-driver.ts'
import { rows } from './site-requests.ts'

const test = suite('playground site')

test(`${rows.length} requests, one after the other, get the same answers in both modes, byte by byte, from the threads that are meant`, async (t) => {
  const sites = await startBoth(t)
  const visitors = sites.map((site) => new Visitor(site))
  for (const row of rows) {
    for (const site of sites) row.first?.(site)
    const [here, there] = await Promise.all(visitors.map(async (visitor) => {
      const path = typeof row.path === 'string' ? row.path : row.path(visitor.seen)
      const answer = await visitor.ask(row)
      return { status: answer.status, text: normal(path, answer), ran: answer.field('x-ran-on')?.replace(/thread [1-9]\d*/g, 'thread') }
    }))
    assert.is(here?.status, row.status, `${row.name}\n${here?.text}`)
    assert.is(there?.text, here?.text, row.name)
    assert.equal([here?.ran, there?.ran], [ranTo('async', row.reaches), ranTo('sync', row.reaches)], row.name)
  }
}, 60)

test('without SITE_DEBUG nothing tells of threads and times, and an error tells nothing; guesses at once are counted together', async (t) => {
  const sites = await Promise.all(modes.map((mode) => startSite(t, mode, undefined, {})))
  for (const site of sites) {
    const visitor = new Visitor(site)
    for (const path of ['/posts', '/api/posts', '/boom']) {
      const answer = await visitor.ask({ path })
      for (const name of ['x-ran-on', 'server-timing']) assert.is(answer.field(name), null, `${path} ${name}`)
      assert.not.match(answer.body.toString(), /collapsed/)
    }
    // One place counts, whichever threads answer.
    const guesses = await Promise.all(Array.from({ length: 14 }, () => new Visitor(site).ask({ path: '/login', form: { name: 'ada' } })))
    assert.equal(guesses.map(({ status }) => status).sort(), [...Array<number>(10).fill(403), ...Array<number>(4).fill(429)])
    await site.output(/the shed has collapsed/, 'stderr')
    assert.match(site.stderr, /Internal Server Error: \/boom Error: the shed has collapsed/)
  }
}, 40)

test.run()
