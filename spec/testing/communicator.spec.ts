import * as assert from 'uvu/assert'
import type { Application, Scope } from '../../lib/index.ts'
import { communicator } from '../../lib/testing/index.ts'
import { suite } from '../support/suite.ts'

const test = suite('the communicator')
const scope: Scope = { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: {} }

const polite: Application = async (_scope, receive, send) => {
  await receive()
  await send({ type: 'lifespan.startup.complete' })
  await receive()
  await send({ type: 'lifespan.shutdown.complete' })
}

test('inputs and outputs pass one by one', async () => {
  const talk = communicator(polite, scope)
  talk.sendInput({ type: 'lifespan.startup' })
  assert.equal(await talk.receiveOutput(), { type: 'lifespan.startup.complete' })
  assert.is(await talk.receiveNothing(0.02), true)
  talk.sendInput({ type: 'lifespan.shutdown' })
  assert.is(await talk.receiveNothing(), false)
  assert.equal(await talk.receiveOutput(), { type: 'lifespan.shutdown.complete' })
  await talk.wait()
})

test('an output that does not come in time, and one that comes no more, are errors', async () => {
  const talk = communicator(polite, scope)
  const late = await talk.receiveOutput(0.02).catch((error: unknown) => error)
  assert.match(String(late), /CommunicatorError: the application sent nothing within 0.02 seconds/)
  const unfinished = await talk.wait(0.02).catch((error: unknown) => error)
  assert.match(String(unfinished), /did not return within 0.02 seconds/)
  talk.sendInput({ type: 'lifespan.startup' })
  talk.sendInput({ type: 'lifespan.shutdown' })
  await talk.receiveOutput()
  await talk.receiveOutput()
  const over = await talk.receiveOutput().catch((error: unknown) => error)
  assert.match(String(over), /returned without sending another event/)
})

test('what the application throws is thrown to the test, once', async () => {
  const talk = communicator(async () => {
    throw new RangeError('boom')
  }, scope)
  assert.instance(await talk.receiveOutput().catch((error: unknown) => error), RangeError)
  await talk.wait()
})

test.run()
