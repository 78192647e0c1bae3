/** Django's rules (its BaseHandler), in every mixture of five layers, in both modes: the same answers, and the same events in the same order. */
import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { TestRequestInit } from '../../lib/testing/index.ts'
import type { Mode } from '../../lib/stack/route.ts'
import { suite } from '../support/suite.ts'
import { modes, openStack, type Opened } from './both-modes.ts'
import { codes, DEPTH, stacks, type Kind } from './modules/chains.ts'

const test = suite('the stack in every mixture of layers')
const layers = Array.from({ length: DEPTH }, (_, index) => index)
const viewKinds = ['s', 'a', 'n'] as const
type ViewKind = (typeof viewKinds)[number]

/** An event, and how the code runs that it comes from. */
type Event = readonly [what: string, mode: Mode]

interface Expected {
  readonly events: Event[]
  readonly status: number
  readonly body: string | RegExp
  /** The layers that had the response in hand, the innermost first. */
  readonly through: readonly number[]
}

/** In which mode each layer runs, as `describe()` says. */
function modesOf(code: string, home: Mode): Mode[] {
  const [, ...rows] = stacks.get(code)?.describe(home).split('\n') ?? []
  return rows.slice(0, DEPTH).map((row) => row.split(/ +/)[2] as Mode)
}

/** Picks one of a few for a chain, so that each meets each kind of layer at each place. */
function pick<T>(all: ArrayLike<T>, chain: number, number: number): T {
  return all[(chain + 2 * Math.floor(chain / 3) + Math.floor(chain / 9) + number) % all.length] as T
}

/** The fewest changes of mode that any choice for the neutral layers has. */
function fewest(code: string, home: Mode): number {
  let costs: Record<Mode, number> = { sync: home === 'sync' ? 0 : 1, async: home === 'async' ? 0 : 1 }
  for (const kind of code) {
    const sync = kind === 'a' ? Infinity : Math.min(costs.sync, costs.async + 1)
    const async = kind === 's' ? Infinity : Math.min(costs.async, costs.sync + 1)
    costs = { sync, async }
  }
  return Math.min(costs.sync, costs.async)
}

const fixed: Readonly<Record<Kind, Mode | null>> = { n: null, s: 'sync', a: 'async' }

/** What the rules say that happens. `act` is what `do` asks for, at layer `at`. */
function expectation(code: string, home: Mode, viewKind: ViewKind, act: string, at: number): Expected {
  const modesHere = modesOf(code, home)
  const path = `/${viewKind}/7`
  const inner = modesHere.at(-1) ?? home
  const hookMode = (index: number): Mode => fixed[code[index] as Kind] ?? inner
  const viewMode = fixed[viewKind] ?? inner
  const events: Event[] = [['started', home]]
  const through: number[] = []
  let logged = false
  let body: string | RegExp = ''
  let status = 200

  const fails = (message: string, mode: Mode): void => {
    events.push([`failed ${message}`, mode], [`log error Internal Server Error: ${path}`, mode])
    logged = true
    status = 500
    body = '500 Internal Server Error\n'
    through.length = 0
  }
  const rendered = (text: string): void => {
    const by: number[] = []
    for (const index of [...layers].reverse()) {
      events.push([`template${index}`, hookMode(index)])
      by.push(index)
      if (act === 'otherTemplate' && index === at) {
        text = 'another by'
        by.length = 0
      }
    }
    if (text === 'by') events.push(['render', viewMode])
    if (act === 'render') throw new Error('rendering')
    body = `${text} ${by.join()}`
    status = 200
  }
  const exceptions = (what: string): 'template' | 'answered' | 'not answered' => {
    for (const index of [...layers].reverse()) {
      events.push([`exception${index} ${what}`, hookMode(index)])
      if (index !== at) continue
      if (act === 'exceptionTemplate') return 'template'
      if (act === 'exception') {
        body = `handled by ${index}`
        status = 418
        return 'answered'
      }
    }
    return 'not answered'
  }
  const codes: Readonly<Record<string, readonly [status: number, code: string, log: string, body: string]>> = {
    missing: [404, 'ERR_TSGI_NOT_FOUND', '', 'no such thing'],
    denied: [403, 'ERR_TSGI_PERMISSION_DENIED', `warn Forbidden: ${path}: not you`, 'not you'],
    suspicious: [400, 'ERR_TSGI_SUSPICIOUS', `warn Bad Request: ${path}: what is this`, 'what is this'],
    large: [413, 'ERR_TSGI_TOO_LARGE', `warn Payload Too Large: ${path}: too much`, 'too much'],
    busy: [503, 'ERR_TSGI_HTTP', `error Service Unavailable: ${path}: come back later`, ''],
  }
  const view = (): void => {
    for (const index of layers) {
      events.push([`view${index} 7`, hookMode(index)])
      if (index !== at) continue
      if (act === 'viewThrow') return fails(`the hook of layer ${index}`, inner)
      if (act === 'viewTemplate') return rendered('template by')
      if (act === 'view') {
        body = `in place of the view: ${index}`
        return
      }
    }
    events.push(['view', viewMode])
    const converted = codes[act]
    if (converted !== undefined) {
      exceptions(converted[1])
      if (converted[2] !== '') events.push([`log ${converted[2]}`, inner])
      logged = converted[2] !== ''
      status = converted[0]
      body = new RegExp(`^${status} .*${converted[3]}\\n$`)
      return
    }
    if (act === 'fail' || act === 'exception' || act === 'exceptionTemplate') {
      const found = exceptions('the view')
      if (found === 'not answered') fails('the view', inner)
      if (found === 'template') rendered('handled by a template by')
      return
    }
    if (act === 'nothing' || act === 'text') return fails(`what the view of /${viewKind}/:id gives must be an HttpResponse, found ${act === 'text' ? '"a text"' : 'undefined'}`, inner)
    if (act !== 'template' && act !== 'render' && act !== 'otherTemplate') {
      body = 'the view'
      return
    }
    try {
      rendered('by')
    } catch (error) {
      exceptions((error as Error).message)
      fails('rendering', inner)
    }
  }
  const down = (index: number): void => {
    if (index === DEPTH) return view()
    const mode = modesHere[index] ?? home
    events.push([`>${index}`, mode])
    if (index === at && act === 'answer') {
      body = `layer ${index}`
      return
    }
    if (index === at && act === 'throw') return fails(`layer ${index}`, mode)
    if (index === at && act === 'nothingOf') return fails(`what ${code[index]}${index} gives must be an HttpResponse, found undefined`, mode)
    down(index + 1)
    events.push([`<${index} ${status}`, mode])
    through.push(index)
    if (index === at && act === 'late') fails(`layer ${index}, late`, mode)
  }
  down(0)
  if (status >= 400 && !logged) events.push([`log warn ${status === 404 ? 'Not Found' : 'I\'m a Teapot'}: ${path}`, home])
  if (act === 'closes') events.push(['closed', viewMode])
  events.push(['finished', home])
  return { events, status, body, through }
}

/** Sends a request to a chain, and looks whether all was as it has to be. */
async function check({ client, trace, mode }: Opened, code: string, viewKind: ViewKind, act: string, at: number, init: TestRequestInit = {}): Promise<void> {
  const name = `${code}, ${viewKind} view, ${act} ${at < 0 ? '' : at}`
  const expected = expectation(code, mode, viewKind, act, at)
  const asked = act === 'nothingOf' ? `nothing${at}` : at < 0 ? act : `${act}${at}`
  const response = await client.fetch(`/${viewKind}/7?do=${asked}`, { ...init, headers: { 'x-chain': code } })
  const text = await response.text()
  await trace.noted('finished')
  const notes = trace.take()
  assert.is(response.status, expected.status, `${name}: ${text}`)
  if (typeof expected.body === 'string') assert.is(text, expected.body, name)
  else assert.match(text, expected.body, name)
  assert.equal(notes.map(([what]) => what), expected.events.map(([what]) => what), name)
  assert.equal(response.headers.get('x-layer') ?? '', expected.through.join(', '), name)
  // The main thread is 0; all that is sync runs on one thread.
  const threads = notes.map(([, thread], index) => `${notes[index]?.[0]}: ${thread === 0 ? 'async' : 'sync'}`)
  assert.equal(threads, expected.events.map(([what, where]) => `${what}: ${where}`), name)
  assert.ok(new Set(notes.map(([, thread]) => thread)).size <= 2, name)
}

test('each layer runs in a mode that it can run in, and changes of mode are as few as can be', () => {
  for (const home of modes) {
    for (const code of codes) {
      const found = modesOf(code, home)
      let changes = 0
      let above = home
      found.forEach((mode, index) => {
        const own = fixed[code[index] as Kind]
        if (own !== null) assert.is(mode, own)
        if (mode !== above) changes++
        above = mode
      })
      assert.is(changes, fewest(code, home), `${code}, ${home}`)
    }
  }
})

for (const mode of modes) {
  test(`a request goes down and up, through views of each kind (${mode} mode)`, async (t) => {
    const opened = await openStack(t, 'chains', mode)
    for (const code of codes) for (const viewKind of viewKinds) await check(opened, code, viewKind, 'ok', -1)
  }, 60)

  test(`hooks run in their order, and errors become responses (${mode} mode)`, async (t) => {
    const opened = await openStack(t, 'chains', mode)
    const acts = ['template', 'render', 'fail', 'missing', 'denied', 'suspicious', 'large', 'busy', 'nothing', 'text', 'closes']
    // All mixtures of chains, acts and views would take minutes.
    for (const [index, code] of codes.entries()) {
      for (const [number, act] of acts.entries()) if (pick([true, false], index, number)) await check(opened, code, pick(viewKinds, index, number), act, -1)
    }
  }, 60)

  test(`a layer, or one of its hooks, answers, fails or gives nothing, at each place (${mode} mode)`, async (t) => {
    const opened = await openStack(t, 'chains', mode)
    const acts = ['answer', 'throw', 'late', 'nothingOf', 'view', 'viewThrow', 'viewTemplate', 'exception', 'exceptionTemplate', 'otherTemplate']
    for (const [index, code] of codes.entries()) {
      for (const [number, act] of acts.entries()) {
        if (pick([true, false], index, number)) await check(opened, code, pick(viewKinds, index, number), act, pick(layers, index, number))
      }
    }
  }, 60)

  test(`request.state reaches the view and comes back, and is one object to each layer (${mode} mode)`, async (t) => {
    const { client, trace } = await openStack(t, 'chains', mode)
    for (const [index, code] of codes.entries()) {
      trace.take()
      const response = await client.fetch(`/${pick(viewKinds, index, 0)}/7?do=${index % 2 === 0 ? 'ok' : 'fail'}`, { headers: { 'x-chain': code } })
      await response.text()
      assert.equal(JSON.parse(response.headers.get('x-state') ?? ''), { seen0: 0, seen1: 1, seen2: 2, seen3: 3, seen4: 4, view: true }, `${code} ${response.status}`)
    }
  }, 30)

  const json = JSON.stringify({ text: 'x'.repeat(5000) })
  const form = new FormData()
  form.append('a', '1')
  form.append('file', new Blob(['y'.repeat(3000)]), 'file.txt')
  const short = (bytes: string): string => createHash('sha1').update(bytes).digest('hex').slice(0, 8)
  const readings = [
    ['bytes', json, short(json)],
    ['json', json, short(json)],
    ['form', form, short(`[["a","1"]]${'y'.repeat(3000)}`)],
  ] as const
  test(`the body is read in any layers and in the view, on either side (${mode} mode)`, async (t) => {
    const { client, trace } = await openStack(t, 'chains', mode)
    const readers = ['0v', '13v', '24', '02', 'v']
    for (const [index, code] of codes.entries()) {
      for (const [number, [method, body, digest]] of readings.entries()) {
        const who = pick(readers, index, number)
        const viewKind = pick(viewKinds, index, number)
        const response = await client.fetch(`/${viewKind}/7?read=${who}-${method}`, { method: 'POST', body, headers: { 'x-chain': code } })
        assert.is(response.status, 200, `${code} ${viewKind} ${who}-${method}: ${await response.text()}`)
        const told = trace.take().map(([what]) => what).filter((what) => what.startsWith('body'))
        assert.equal(told, Array.from(who, (reader) => `body${reader} ${digest}`), `${code} ${viewKind} ${who}-${method}`)
      }
    }
  }, 60)

  test(`a body comes in chunks to the one that asks for them (${mode} mode)`, async (t) => {
    const { client, trace } = await openStack(t, 'chains', mode)
    const body = 'z'.repeat(300_000)
    for (const [index, code] of codes.entries()) {
      if (index % 4 !== 0) continue
      const reader = pick('01234v', index, 0)
      const response = await client.fetch(`/${pick(viewKinds, index, 1)}/7?read=${reader}-chunks`, { method: 'POST', body, headers: { 'x-chain': code } })
      assert.is(await response.text(), 'the view', code)
      assert.ok(trace.take().some(([what]) => what === `body${reader} ${short(body)}`), code)
    }
  }, 30)

  test(`more than the limit is a 413, what is malformed a 400, and neither is a failure (${mode} mode)`, async (t) => {
    const { client, trace } = await openStack(t, 'chains', mode)
    const cases = [
      [413, 'bytes', 'x'.repeat(10_001), 'text/plain'],
      [413, 'bytes', (async function* () { for (let i = 0; i < 3; i++) yield 'x'.repeat(5000) })(), 'text/plain'],
      [400, 'json', '{', 'application/json'],
      [400, 'form', 'a=%zz\xff', 'application/x-www-form-urlencoded; charset=utf-8'],
      [400, 'form', '--x\r\nnothing', 'multipart/form-data; boundary=x'],
      [400, 'form', 'nothing', 'multipart/form-data'],
    ] as const
    for (const [index, code] of codes.entries()) {
      const [status, method, given, type] = pick(cases, index, 0)
      const body = typeof given === 'string' ? given : (async function* () { for (let i = 0; i < 3; i++) yield 'x'.repeat(5000) })()
      const reader = pick('01234v', index, Math.floor(index / 6))
      const response = await client.fetch(`/${pick(viewKinds, index, 1)}/7?read=${reader}-${method}`, { method: 'POST', body, headers: { 'x-chain': code, 'content-type': type } })
      assert.is(response.status, status, `${code} ${method} ${reader}: ${await response.text()}`)
      const { length } = trace.take().filter(([what]) => what.startsWith('failed'))
      assert.is(length, 0, code)
    }
  }, 30)
}

test.run()
