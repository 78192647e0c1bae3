import { inspect } from 'node:util'
import { NotCloneable } from '../contract/errors.ts'
import * as errors from '../contract/errors.ts'

/** An error as it crosses to another thread: what structured cloning loses is kept. */
interface CrossedError {
  readonly crossed: 'error'
  /** The class to make it of: one of JavaScript's, or one of tsgi's. */
  readonly kind: string
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly cause: unknown
  /** Of an AggregateError. */
  readonly errors: readonly unknown[] | null
  /** Own properties, `code` among them, that can be cloned. */
  readonly properties: Readonly<Record<string, unknown>>
}

const kinds: Readonly<Record<string, { readonly prototype: object }>> = {
  Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, AggregateError,
  ...errors as unknown as Record<string, { readonly prototype: object }>,
}

/** Causes of causes that are followed. */
const DEPTH = 10

/** Makes of what was thrown what can be cloned. */
export function packError(thrown: unknown, depth = 0): unknown {
  if (!(thrown instanceof Error)) return isCloneable(thrown) ? thrown : new Error(`threw ${inspect(thrown, { depth: 0 })}`)
  if (depth > DEPTH) return undefined
  const properties: Record<string, unknown> = {}
  for (const key of Object.keys(thrown)) {
    const value = valueOf(thrown, key)
    if (key !== 'stack' && key !== 'message' && isCloneable(value)) properties[key] = value
  }
  const packed: CrossedError = {
    crossed: 'error',
    kind: kindOf(thrown),
    name: thrown.name,
    message: thrown.message,
    stack: thrown.stack,
    cause: thrown.cause === undefined ? undefined : packError(thrown.cause, depth + 1),
    errors: thrown instanceof AggregateError ? thrown.errors.map((each: unknown) => packError(each, depth + 1)) : null,
    properties,
  }
  return packed
}

/** Undoes `packError`. */
export function unpackError(packed: unknown): unknown {
  const found = packed as Partial<CrossedError> | null | undefined
  if (typeof packed !== 'object' || found?.crossed !== 'error') return packed
  const { kind = 'Error', name = 'Error', message = '', stack, cause, errors: inner, properties } = found
  // A native one, which can be cloned again.
  const made = new Error()
  Object.setPrototypeOf(made, (kinds[kind] ?? Error).prototype)
  const hidden = (key: string, value: unknown): void => {
    Object.defineProperty(made, key, { value, enumerable: false, configurable: true, writable: true })
  }
  hidden('message', message)
  hidden('stack', stack)
  if (cause !== undefined) hidden('cause', unpackError(cause))
  if (inner !== null && inner !== undefined) hidden('errors', inner.map(unpackError))
  if (made.name !== name) hidden('name', name)
  return Object.assign(made, properties)
}

/** What a property has; undefined where it cannot be read. */
function valueOf(object: object, key: string): unknown {
  try {
    return (object as Readonly<Record<string, unknown>>)[key]
  } catch {
    return undefined
  }
}

/** The nearest class that both sides have. */
function kindOf(error: Error): string {
  for (let prototype: unknown = Object.getPrototypeOf(error); prototype !== null; prototype = Object.getPrototypeOf(prototype)) {
    const { name } = (prototype as { readonly constructor: { readonly name: string } }).constructor
    if (kinds[name]?.prototype === prototype) return name
  }
  return 'Error'
}

function isCloneable(value: unknown): boolean {
  if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return true
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}

/** Why a call could not be sent: the path to the argument, or in the shared contexts, that cannot be cloned. */
export function callNotCloneable(error: unknown, args: readonly unknown[], contexts: unknown): unknown {
  return isCloneable(args) ? notCloneable(error, 'contexts', contexts) : notCloneable(error, 'arguments', args)
}

/** Why a message could not be sent, if that is what `error` says: the path to the value that cannot be cloned. */
export function notCloneable(error: unknown, what: string, value: unknown): unknown {
  const { name, code } = Object(error) as { readonly name?: unknown; readonly code?: unknown }
  // The second is Node's up to 20, for a MessagePort and its like.
  if (name !== 'DataCloneError' && code !== 'ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST') return error
  const [path, culprit] = findCulprit(what, value, new Set()) ?? [what, value]
  return new NotCloneable(path, culprit, { cause: error })
}

function findCulprit(path: string, value: unknown, seen: Set<unknown>): readonly [string, unknown] | null {
  if (isCloneable(value) || seen.has(value)) return null
  if (typeof value !== 'object' || value === null) return [path, value]
  seen.add(value)
  const entries: Iterable<readonly [string, unknown]> = value instanceof Map
    ? Array.from(value, ([key, each]) => [`${path}.get(${String(key)})`, each] as const)
    : Array.isArray(value) || value instanceof Set
      ? Array.from(value, (each: unknown, index) => [`${path}[${index}]`, each] as const)
      : Object.entries(value).map(([key, each]) => [`${path}.${key}`, each] as const)
  for (const [inner, each] of entries) {
    const found = findCulprit(inner, each, seen)
    if (found !== null) return found
  }
  return [path, value]
}
