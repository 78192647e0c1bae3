/** `x-ran-on` of a stack in debug mode: on which thread each layer ran, and the view. */
import * as assert from 'uvu/assert'
import { HttpResponse, neutral, pass, route, Stack, sync, type SyncHttpRequest } from '../../lib/stack/index.ts'
import { testClient } from '../../lib/testing/index.ts'
import { suite } from '../support/suite.ts'
import { inBothModes, type Opened } from './both-modes.ts'

const test = suite('where layers ran')

interface Told {
  readonly status: number
  readonly header: string | null
  /** The header with `thread` for any thread. */
  readonly places: string | null
}

/** One request; what the header says has to be what the parts themselves have noted. */
async function ask({ client, trace }: Opened, path: string, stack?: string): Promise<Told> {
  trace.take()
  const response = await client.fetch(path, { headers: stack === undefined ? {} : { 'x-stack': stack } })
  await response.text()
  const header = response.headers.get('x-ran-on')
  const noted = new Set(trace.take().map(([name, thread]) => `${name}=${thread === 0 ? 'loop' : `thread ${thread}`}`))
  if (header !== null && stack === undefined) assert.equal(new Set(header.split(', ')), noted, path)
  return { status: response.status, header, places: header?.replace(/thread [1-9]\d*/g, 'thread') ?? null }
}

const above = { async: 'outer=loop, session=loop', sync: 'outer=thread, session=loop' }
const all = (mode: 'async' | 'sync'): string => `${above[mode]}, legacy=thread, inner=thread`

inBothModes(test, 'ran-on', 'every layer and the view are named, outermost first, with the thread on which they ran', async (opened) => {
  const { mode } = opened
  for (const [path, view] of [['/sync/1', '/sync/:id=thread'], ['/async/1/2', '/async/*rest=loop'], ['/neutral', '/neutral=thread'], ['/stream', '/stream=loop']] as const) {
    assert.equal(await ask(opened, path).then(({ status, places }) => [status, places]), [200, `${all(mode)}, ${view}`], path)
  }
})

inBothModes(test, 'ran-on', 'a layer of hooks is named once a hook of it was called, where that ran', async (opened) => {
  assert.is((await ask(opened, '/template')).places, `${all(opened.mode)}, context=thread, /template=thread`)
  const failed = await ask(opened, '/sync/1?do=throw-/sync/:id')
  assert.equal([failed.status, failed.places], [500, `${above[opened.mode]}, handler=loop, legacy=thread, inner=thread, /sync/:id=thread`])
})

inBothModes(test, 'ran-on', 'what was not reached is not named: beneath a layer that answers or fails, and where no route matches', async (opened) => {
  const { mode } = opened
  const down: readonly (readonly [string, string])[] = [
    ['outer', above[mode].split(', ')[0] ?? ''], ['session', above[mode]], ['legacy', `${above[mode]}, legacy=thread`], ['inner', all(mode)],
  ]
  for (const [name, places] of down) {
    assert.equal(await ask(opened, `/sync/1?do=answer-${name}`).then((told) => [told.status, told.places]), [200, places])
    assert.equal(await ask(opened, `/async/1?do=throw-${name}`).then((told) => [told.status, told.places]), [500, places])
    assert.equal(await ask(opened, `/async/1?do=late-${name}`).then((told) => [told.status, told.places]), [500, `${all(mode)}, /async/*rest=loop`])
  }
  assert.equal(await ask(opened, '/nothing').then(({ status, places }) => [status, places]), [404, all(mode)])
})

inBothModes(test, 'ran-on', 'a layer that puts another object in the place of request.state changes nothing of it', async (opened) => {
  for (const name of ['outer', 'session', 'legacy', 'inner', '/async/*rest']) {
    assert.is((await ask(opened, `/async/1?do=replace-${name}`)).places, `${all(opened.mode)}, /async/*rest=loop`, name)
  }
})

inBothModes(test, 'ran-on', 'without debug there is no such header', async (opened) => {
  for (const path of ['/sync/1', '/async/1', '/nothing', '/sync/1?do=throw-legacy']) assert.is((await ask(opened, path, 'quiet')).header, null, path)
})

inBothModes(test, 'ran-on', 'names of any characters neither break the header nor its list', async (opened) => {
  const { header, places } = await ask(opened, '/%C3%A4%20b/1', 'odd')
  const here = opened.mode === 'sync' ? 'thread' : '(?:loop|thread)'
  const names = ['a%20b', 'x%3D1%2C%20y%3D2', 'line%0D%0Aset-cookie:%20evil%3D1', 'gr%C3%B6%C3%9Fe', '%EF%BF%BD%20100%25', 'middleware\\[5\\]', 'tab%09"quoted"', '/%C3%A4%20b/:id']
  assert.match(places ?? '', new RegExp(`^${names.map((name) => `${name}=${here}`).join(', ')}$`), header ?? '')
})

inBothModes(test, 'ran-on', 'two layers of one name are both named', async (opened) => {
  assert.match((await ask(opened, '/neutral', 'twin')).places ?? '', /^same=(loop|thread), same=\1, \/neutral=\1$/)
})

test('sync layers of a stack without a module run on the event loop', async (t) => {
  const inline = new Stack({
    debug: true,
    log: () => {},
    middleware: [neutral(function* (request) { return yield* pass(request) }, 'outer'), sync((request, next) => next(request), 'legacy')],
    routes: [route('/', (_request: SyncHttpRequest) => HttpResponse.text('ok'))],
  })
  const client = await testClient(inline.toAsync())
  t.after(() => client.close())
  assert.is((await client.fetch('/')).headers.get('x-ran-on'), 'outer=loop, legacy=loop, /=loop')
})

test.run()
