import { isIPv4 } from 'node:net'
import type { Address } from '../contract/scope.ts'
import { canonicalAddress, OBFUSCATED, type TrustedAddresses } from './trusted-addresses.ts'

/** A hop as a proxy writes it down. */
export interface ForwardedNode {
  /** What the trust list is asked for: a canonical address or a literal; null if it can be neither. */
  readonly name: string | null
  /** What `scope.client` becomes if this is the client; null if it is no address. */
  readonly client: Address | null
}

const NOBODY: ForwardedNode = { name: null, client: null }

// nodename [ ":" node-port ] of RFC 7239 6.
const NODE = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}|_[A-Za-z0-9._-]+))?$/

/** Reads a `for` of RFC 7239: an address, IPv6 in brackets, with or without a port; `unknown`; `_obfuscated`. */
export function standardNode(text: string): ForwardedNode {
  // nginx writes this for a peer on a unix socket.
  if (text === 'unix' || text === 'unix:') return { name: 'unix', client: null }
  const parts = NODE.exec(text)
  if (parts === null) return NOBODY
  const [, inBrackets, bare = '', portText = ''] = parts
  const port = portText === '' || portText.startsWith('_') ? 0 : Number(portText)
  if (port > 65535) return NOBODY
  if (inBrackets === undefined) {
    if (isIPv4(bare)) return { name: bare, client: [bare, port] }
    return OBFUSCATED.test(bare) ? { name: bare, client: null } : NOBODY
  }
  return isIPv4(inBrackets) ? NOBODY : addressNode(inBrackets, port)
}

/**
 * Reads an item of X-Forwarded-For, which no standard defines: what RFC 7239 allows, also IPv6 without brackets, also
 * in quotes. What the client becomes, if the item is the one that names it:
 *
 * | the item | `scope.client` | why |
 * |---|---|---|
 * | `1.2.3.4` | `['1.2.3.4', 0]` | port 0 where there is none, as ASGI servers do |
 * | `1.2.3.4:5678` | `['1.2.3.4', 5678]` | |
 * | `1.2.3.4:_p` | `['1.2.3.4', 0]` | an obfuscated port (RFC 7239 6.2) |
 * | `[2001:db8::1]`, `2001:db8::1` | `['2001:db8::1', 0]` | without brackets there is no port: all of it is the address |
 * | `[2001:db8::1]:5678` | `['2001:db8::1', 5678]` | |
 * | `2001:DB8:0::1` | `['2001:db8::1', 0]` | IPv6 is made canonical: one client, one text |
 * | `::ffff:1.2.3.4` | `['1.2.3.4', 0]` | the same host as the v4 address |
 * | `"1.2.3.4:5678"` | `['1.2.3.4', 5678]` | some proxies quote, as RFC 7239 does |
 * | `unknown`, `_hidden`, `unix:` | `null` | no address; `_hidden` and `unix` may be on the trust list |
 * | `localhost`, `example.com:80` | `null` | a name is no address, and is never trusted |
 * | `1.2.3.4:`, `1.2.3.4:99999`, `1.2.3.4:abc` | `null` | malformed |
 * | `[::1`, `[::1]x`, `[1.2.3.4]`, `01.2.3.4`, `1.2.3` | `null` | malformed |
 * | `fe80::1%eth0` | `null` | a zone id means nothing on another host |
 *
 * Spaces and tabs around an item do not count, and empty items are no items (RFC 9110 5.6.1).
 */
export function listedNode(item: string): ForwardedNode {
  const quoted = item.length > 2 && item.startsWith('"') && item.endsWith('"')
  const text = quoted ? item.slice(1, -1) : item
  const bareIPv6 = text.indexOf(':') !== text.lastIndexOf(':') && !text.startsWith('[')
  return bareIPv6 ? addressNode(text, 0) : standardNode(text)
}

function addressNode(text: string, port: number): ForwardedNode {
  const address = canonicalAddress(text)
  return address === null ? NOBODY : { name: address, client: [address, port] }
}

/**
 * Walks the hops from the right, the nearest first, past the trusted ones, and returns the index and the client at
 * which it stops: the first hop that is not trusted, or the leftmost. What is no address and no trusted literal ends
 * the walk too, since nothing to the left of it can be believed: the client is `null` then. There is at least one hop.
 */
export function clientOf<T>(hops: readonly T[], read: (hop: T) => ForwardedNode, trusted: TrustedAddresses): readonly [index: number, client: Address | null] {
  let index = trusted.everybody ? 0 : hops.length - 1
  for (;; index--) {
    // The loop stays within the hops: it ends at index 0 at the latest.
    const { name, client } = read(hops[index] as T)
    if (index === 0 || name === null || !trusted.has(name)) return [index, client]
  }
}
