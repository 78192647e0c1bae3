/** What functions on threads throw, and give that cannot be cloned. */
import { InvalidOption, TsgiError } from '../../../lib/contract/errors.ts'

export class OutOfStock extends RangeError {
  readonly code = 'E_STOCK'
  readonly left = { apples: 2 }
  readonly save = (): void => {}

  override get name(): string {
    return 'OutOfStock'
  }
}

class Derived extends TsgiError {
  readonly detail = [1, 2]
}

const thrown: Readonly<Record<string, () => unknown>> = {
  own: () => new OutOfStock('no pears', { cause: new TypeError('nothing was ordered', { cause: 'a text' }) }),
  many: () => new AggregateError([new SyntaxError('one'), 'two', new OutOfStock('three')], 'several'),
  option: () => new InvalidOption('speed', 'a number', 'fast'),
  derived: () => new Derived('ERR_TSGI_OPTION', 'derived'),
  text: () => 'a text',
  nothing: () => undefined,
  object: () => ({ reason: [1] }),
  function: () => () => {},
  symbol: () => Symbol('odd'),
  bare: () => Object.assign(Object.create(null) as object, { call() {} }),
  hostile: () => Object.defineProperty(new Error('hostile'), 'trap', { enumerable: true, get: () => { throw new Error('sprung') } }),
  circular: () => {
    const error = new Error('round')
    error.cause = error
    return error
  },
  system: () => {
    try {
      process.chdir('/nowhere')
    } catch (error) {
      return error
    }
    return null
  },
}

export function fail(kind: string): never {
  throw thrown[kind]?.()
}

const values: Readonly<Record<string, () => unknown>> = {
  function: () => ({ user: { name: 'Ada', save() {} } }),
  list: () => [1, [2, Symbol('x')]],
  map: () => new Map([['a', { run() {} }]]),
  set: () => new Set([() => {}]),
  promise: () => Promise.resolve(1),
  port: () => ({ port: new MessageChannel().port1 }),
}

export function give(kind: string): unknown {
  return values[kind]?.()
}
