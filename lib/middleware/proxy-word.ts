import type { Address } from '../contract/scope.ts'
import { clientOf, listedNode, standardNode } from './forwarded-node.ts'
import { parseForwarded, type ForwardedElement } from './forwarded.ts'
import { canonicalAddress, type TrustedAddresses } from './trusted-addresses.ts'

/** What proxies say of a request; undefined where they say nothing, or nothing that is valid. */
export interface ProxyWord {
  /** `null`: there is a client, but none that can be named. */
  readonly client: Address | null | undefined
  readonly scheme: string | undefined
  /** A host with or without a port. */
  readonly host: string | undefined
  readonly port: number | undefined
}

type ScopeType = 'http' | 'websocket'

// A malformed line: it may hide the client.
const MALFORMED: readonly ForwardedElement[] = [{ for: '' }]

/** The values of the X-Forwarded-* headers, each with its lines as one list; empty if it is not there. */
export interface UnofficialHeaders {
  readonly for: string
  readonly proto: string
  readonly host: string
  readonly port: string
}

/** What the X-Forwarded-* headers say. */
export function unofficialWord(headers: UnofficialHeaders, type: ScopeType, trusted: TrustedAddresses): ProxyWord {
  const hops = items(headers.for)
  const host = validHost(items(headers.host).at(-1))
  const port = validPort(items(headers.port).at(-1))
  return {
    client: hops.length === 0 ? undefined : clientOf(hops, listedNode, trusted)[1],
    scheme: validScheme(items(headers.proto).at(-1), type),
    host: host === undefined || port === undefined ? host : withPublicPort(host, port),
    port,
  }
}

/** What the lines of `Forwarded` (RFC 7239) say. */
export function standardWord(lines: readonly string[], type: ScopeType, trusted: TrustedAddresses): ProxyWord {
  const elements = lines.flatMap((line) => parseForwarded(line) ?? MALFORMED)
  if (elements.length === 0) return { client: undefined, scheme: undefined, host: undefined, port: undefined }
  const [index, client] = clientOf(elements, (element) => standardNode(element.for ?? ''), trusted)
  return {
    client: elements.some((element) => element.for !== undefined) ? client : undefined,
    scheme: validScheme(elements[index]?.proto, type),
    host: validHost(elements[index]?.host),
    port: undefined,
  }
}

/** Where two words differ, neither is believed; what only one says counts. */
export function agreed(one: ProxyWord, other: ProxyWord): ProxyWord {
  return {
    client: agreedClient(one.client, other.client),
    scheme: agreedText(one.scheme, other.scheme),
    host: agreedText(one.host, other.host),
    port: one.port ?? other.port,
  }
}

function agreedClient(one: ProxyWord['client'], other: ProxyWord['client']): ProxyWord['client'] {
  if (one === undefined || other === undefined) return one === undefined ? other : one
  if (one === null || other === null || one[0] !== other[0]) return null
  return one[1] === 0 ? other : one
}

function agreedText(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one.toLowerCase() === other.toLowerCase() ? one : undefined
}

/** The items of a list, without the empty ones (RFC 9110 5.6.1). */
function items(list: string): readonly string[] {
  return list === '' ? [] : list.split(',').map(trimmed).filter((item) => item !== '')
}

/** Without spaces and tabs at either end; `trim()` would cut off U+00A0 too, here a byte like any other. */
function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

function validScheme(value: string | undefined, type: ScopeType): string | undefined {
  const scheme = value?.toLowerCase()
  if (type === 'http') return scheme === 'http' || scheme === 'https' ? scheme : undefined
  if (scheme === 'http' || scheme === 'ws') return 'ws'
  return scheme === 'https' || scheme === 'wss' ? 'wss' : undefined
}

function validPort(value: string | undefined): number | undefined {
  if (value === undefined || !/^[0-9]{1,5}$/.test(value)) return undefined
  const port = Number(value)
  return port >= 1 && port <= 65535 ? port : undefined
}

/** Narrower than RFC 3986: what is in the DNS, and IP addresses; nothing that a page or a log would trip over. */
function validHost(value: string | undefined): string | undefined {
  const parts = /^(?:[A-Za-z0-9._-]+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?$/.exec(value ?? '')
  if (parts === null) return undefined
  const [host, literal, port] = parts
  if (literal !== undefined && (!literal.includes(':') || canonicalAddress(literal) === null)) return undefined
  return port === undefined || validPort(port) !== undefined ? host : undefined
}

function withPublicPort(host: string, port: number): string {
  return /:[0-9]+$/.test(host) || port === 80 || port === 443 ? host : `${host}:${port}`
}
