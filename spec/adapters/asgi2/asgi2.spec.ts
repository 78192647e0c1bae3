import { deepEqual, rejects, throws } from 'node:assert/strict'
import * as assert from 'uvu/assert'
import { fromAsgi2, isDoubleCallable, type Asgi2Application } from '../../../adapters/asgi2/index.ts'
import { UnsupportedScope, type Receive, type Scope, type Send } from '../../../lib/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { suite } from '../../support/suite.ts'

const test = suite('ASGI 2')

const hello: Asgi2Application = (scope) => {
  if (scope.type === 'websocket') throw new UnsupportedScope(scope.type)
  return async (receive, send) => {
    const event = await receive()
    if (event.type === 'lifespan.startup') {
      if (scope.type === 'lifespan') scope.state['started'] = true
      await send({ type: 'lifespan.startup.complete' })
      await receive()
      return send({ type: 'lifespan.shutdown.complete' })
    }
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: `${scope.type === 'http' ? scope.path : ''} ${String(scope.state['started'])}` })
  }
}

/** In Python the instance would have `__call__`. */
class Hello {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  async call(_receive: Receive, send: Send): Promise<void> {
    if (this.#scope.type !== 'http') throw new UnsupportedScope(this.#scope.type)
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: this.#scope.path })
  }
}

test('a double callable runs, lifespan and state included', async (t) => {
  const client = await testClient(fromAsgi2(hello))
  t.after(() => client.close())
  assert.is(await (await client.fetch('/a')).text(), '/a true')
})

test('a class runs: an instance for each scope', async (t) => {
  const client = await testClient(fromAsgi2(Hello))
  t.after(() => client.close())
  deepEqual(await Promise.all(['/a', '/b'].map(async (path) => (await client.fetch(path)).text())), ['/a', '/b'])
})

test('what is thrown for the scope counts as thrown by the application', async (t) => {
  const client = await testClient(fromAsgi2(hello))
  t.after(() => client.close())
  await rejects(client.websocket('/'), UnsupportedScope)
})

test('what is no application, and what gives none, is refused with a typed error', async (t) => {
  throws(() => fromAsgi2({} as never), { code: 'ERR_TSGI_INVALID_OPTION' })
  const client = await testClient(fromAsgi2((() => 'no function') as never), { lifespan: false })
  t.after(() => client.close())
  await rejects(client.fetch('/'), /must be an async function of receive and send, found "no function"/)
})

test('detection is by shape: a class, or one parameter and not async', () => {
  const yes: readonly unknown[] = [hello, Hello, class {}, function (scope: unknown) { return scope }]
  const no: readonly unknown[] = [
    async (scope: unknown) => scope, () => {}, (_a: unknown, _b: unknown) => {}, async (_s: unknown, _r: unknown, _d: unknown) => {},
    function* (scope: unknown) { yield scope }, async function* (scope: unknown) { yield scope }, {}, null, undefined, 'class A {}', new Hello({} as Scope),
  ]
  for (const app of yes) assert.is(isDoubleCallable(app), true, String(app))
  for (const app of no) assert.is(isDoubleCallable(app), false, String(app))
})

test.run()
