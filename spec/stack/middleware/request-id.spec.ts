import * as assert from 'uvu/assert'
import { headerList } from '../../../lib/contract/headers.ts'
import { HttpResponse, ResponseHeaders, route, Stack } from '../../../lib/stack/index.ts'
import { requestId } from '../../../lib/stack/middleware/index.ts'
import { suite } from '../../support/suite.ts'
import { scopeOf } from '../faces.ts'
import { ask, inBothModes } from './both-sides.ts'

const test = suite('requestId')
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

inBothModes(test, 'each request has an id of its own, for views of both kinds and on the response', async (opened) => {
  const ids = new Set<string>()
  for (const path of ['/state/sync', '/state/async']) {
    const { headers, text } = await ask(opened, 'id', path)
    const id = headers.get('x-request-id') ?? ''
    assert.match(id, UUID)
    assert.is((JSON.parse(text) as { requestId: string }).requestId, id)
    ids.add(id)
  }
  assert.is(ids.size, 2)
  for (const path of ['/fails', '/nowhere']) assert.match((await ask(opened, 'id', path)).headers.get('x-request-id') ?? '', UUID)
})

inBothModes(test, 'an id that comes is not taken unless it is trusted', async (opened) => {
  assert.match((await ask(opened, 'id', '/text', { headers: { 'x-request-id': 'forged' } })).headers.get('x-request-id') ?? '', UUID)
  const ask2 = (headers: Record<string, string>): Promise<string | null> => ask(opened, 'id-trusted', '/text', { headers }).then((told) => told.headers.get('x-correlation-id'))
  assert.is(await ask2({ 'x-correlation-id': 'mine', 'x-trusted': 'yes' }), 'mine')
  assert.match(await ask2({ 'x-correlation-id': 'mine' }) ?? '', UUID)
  assert.match(await ask2({ 'x-trusted': 'yes' }) ?? '', UUID)
})

inBothModes(test, 'a trusted id is taken only if it is well-formed', async (opened) => {
  const given = async (id: string): Promise<string | null> => (await ask(opened, 'id-made', '/text', { headers: { 'x-request-id': id } })).headers.get('x-request-id')
  for (const id of ['a', 'x'.repeat(128), 'Root=1-67891233-abcdef012345678912345678', 'AZaz09._~+/=:@-']) assert.is(await given(id), id)
  for (const id of ['', 'a b', 'a,b', 'a"b', 'a;b', 'x'.repeat(129), '<script>', 'é', 'a\tb', '${jndi:ldap://a}', "a'b"]) assert.is(await given(id), 'made', id)
})

inBothModes(test, 'an id that make gets wrong is an error of the server', async (opened) => {
  assert.is((await ask(opened, 'id-bad', '/text')).status, 500)
})

test('two ids that come are none', async () => {
  const stack = new Stack({ middleware: [requestId({ trusted: true })], routes: [route('/', async () => HttpResponse.text(''))] }).toAsync()
  const given = async (...ids: readonly string[]): Promise<string> => {
    let found = ''
    await stack(scopeOf({ headers: headerList(ids.map((id) => ['x-request-id', id])) }), () => new Promise(() => {}), async (event) => {
      if (event.type === 'http.response.start') found = new ResponseHeaders(event.headers).get('x-request-id') ?? ''
    })
    return found
  }
  assert.is(await given('one'), 'one')
  assert.match(await given('one', 'two'), UUID)
  assert.match(await given('one', 'one'), UUID)
})

test('the name of the header must be a token', () => {
  for (const header of ['', 'a b', 'a:', 'a\r\n']) assert.throws(() => requestId({ header }), /header must be the name of a header field/)
})

test.run()
