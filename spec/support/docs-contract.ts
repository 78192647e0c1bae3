/** The interfaces of lib/contract as data, to hold the documents against them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './docs-markdown.ts'

/** A key of an interface. */
export interface Key {
  readonly name: string
  readonly optional: boolean
}

interface Interface {
  readonly base: string | undefined
  readonly body: string
  readonly keys: readonly Key[]
}

function interfacesOf(file: string): ReadonlyMap<string, Interface> {
  const source = readFileSync(join(root, 'lib/contract', file), 'utf8')
  const pattern = /^(?:export )?interface (\w+)(?:<[^{]*?>)?(?: extends (\w+)(?:<\w+>)?)? \{\n(.*?)^\}/gms
  return new Map([...source.matchAll(pattern)].map(([, name = '', base, body = '']) => [name, { base, body, keys: keysOf(body) }]))
}

function keysOf(body: string): readonly Key[] {
  return [...body.matchAll(/^ {2}readonly (?:(\w+)|'([^']+)')(\?)?:/gm)].map(([, bare, quoted, optional]) => ({ name: bare ?? quoted ?? '', optional: optional !== undefined }))
}

/** Each event of the contract, by its type, with its keys. */
export function contractEvents(): ReadonlyMap<string, readonly Key[]> {
  const events = new Map<string, readonly Key[]>()
  const interfaces = interfacesOf('events.ts')
  for (const { body, keys } of interfaces.values()) {
    const type = /readonly type: '([^']+)'/.exec(body)?.[1]
    if (type !== undefined) events.set(type, keys)
  }
  // The two messages are one generic interface.
  for (const type of ['websocket.receive', 'websocket.send']) events.set(type, interfaces.get('WebSocketMessage')?.keys ?? [])
  return events
}

/** The keys of an interface of the scopes, those of its base included. */
export function scopeKeys(name: string): readonly Key[] {
  const interfaces = interfacesOf('scope.ts')
  const { base, keys } = interfaces.get(name) ?? { base: undefined, keys: [] }
  return base === undefined ? keys : [...keys, ...interfaces.get(base)?.keys ?? []]
}
