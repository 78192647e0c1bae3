import { BlockList, isIPv4, isIPv6, SocketAddress } from 'node:net'
import { InvalidOption } from '../contract/errors.ts'
import type { Address } from '../contract/scope.ts'

const EXPECTED = 'a list of IP addresses, CIDR blocks, `unix`, `_names` and `*` (host names are not resolved)'
const MAPPED_PREFIX = 96

/** An identifier that a proxy makes up instead of an address (RFC 7239 6.3). */
export const OBFUSCATED: RegExp = /^_[A-Za-z0-9._-]+$/

/** An IP address in its one canonical form, a v4-mapped one as v4; null for all else, a zone id included. */
export function canonicalAddress(text: string): string | null {
  if (isIPv4(text)) return text
  if (!isIPv6(text) || text.includes('%')) return null
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/**
 * The hops whose word is taken for true. An entry is
 *
 * - an IPv4 or IPv6 address; a v4-mapped one is the v4 address. An IPv6 address without a zone id means that address
 *   on every interface, one with a zone id (`fe80::1%eth0`) on that interface only, and only for the direct peer;
 * - a CIDR block; bits beyond its prefix do not count. An IPv6 block covers IPv4 only if it lies in `::ffff:0:0/96`,
 *   so `::/0` is all of IPv6;
 * - `unix` (or `unix:`, as nginx writes it): a peer on a unix socket, which has no address;
 * - `_name`: an identifier that a proxy made up (RFC 7239 6.3), compared as a string;
 * - `*`: everybody.
 *
 * Anything else, host names and `unknown` included, is an `InvalidOption`. White space around an entry and empty
 * entries do not count; an empty list trusts nobody.
 */
export class TrustedAddresses {
  /** Whether the list has a `*`. */
  readonly everybody: boolean
  readonly #names = new Set<string>()
  #blocks4: BlockList | null = null
  #blocks6: BlockList | null = null
  #lastPeer = ''
  #lastPeerTrusted: boolean

  /** `allow` is a list, or one string with commas. `option` names it in errors. */
  constructor(allow: string | readonly string[], option: string) {
    const parts = typeof allow === 'string' ? [allow] : allow
    if (!Array.isArray(parts)) throw new InvalidOption(option, EXPECTED, allow)
    for (const part of parts as readonly unknown[]) {
      if (typeof part !== 'string') throw new InvalidOption(option, EXPECTED, part)
      for (const entry of part.split(',')) {
        if (!this.#add(entry.trim())) throw new InvalidOption(option, EXPECTED, entry.trim())
      }
    }
    this.everybody = this.#names.has('*')
    this.#lastPeerTrusted = this.everybody
  }

  /** Whether a canonical address, or a literal, is on the list. */
  has(name: string): boolean {
    if (this.everybody || this.#names.has(name)) return true
    if (this.#blocks4 !== null && isIPv4(name)) return this.#blocks4.check(name, 'ipv4')
    return this.#blocks6 !== null && isIPv6(name) && this.#blocks6.check(name, 'ipv6')
  }

  /** Whether the other end of a connection is on the list; `null` is a unix socket. */
  hasPeer(client: Address | null): boolean {
    const peer = client === null ? 'unix' : client[0]
    if (peer !== this.#lastPeer) {
      this.#lastPeerTrusted = this.#checkPeer(peer)
      this.#lastPeer = peer
    }
    return this.#lastPeerTrusted
  }

  #checkPeer(peer: string): boolean {
    const [text, zone] = splitZone(peer)
    const address = canonicalAddress(text)
    if (address === null) return this.everybody || this.#names.has(peer)
    return this.has(address) || (zone !== '' && this.#names.has(`${address}%${zone}`))
  }

  /** Takes an entry in; false if it is none. */
  #add(entry: string): boolean {
    if (entry === '') return true
    if (entry === '*' || entry === 'unix' || OBFUSCATED.test(entry)) {
      this.#names.add(entry)
      return true
    }
    if (entry === 'unix:') return this.#add('unix')
    const slash = entry.indexOf('/')
    if (slash >= 0) return this.#addBlock(entry.slice(0, slash), entry.slice(slash + 1))
    const [text, zone] = splitZone(entry)
    const address = canonicalAddress(text)
    if (address === null || (zone === '' && text !== entry) || (zone !== '' && isIPv4(address))) return false
    this.#names.add(zone === '' ? address : `${address}%${zone}`)
    return true
  }

  #addBlock(text: string, prefixText: string): boolean {
    const address = canonicalAddress(text)
    if (address === null || !/^(?:0|[1-9][0-9]{0,2})$/.test(prefixText)) return false
    const written6 = isIPv6(text)
    let prefix = Number(prefixText)
    if (prefix > (written6 ? 128 : 32)) return false
    if (written6 && isIPv4(address)) {
      if (prefix < MAPPED_PREFIX) return this.#addBlock6(text, prefix)
      prefix -= MAPPED_PREFIX
    }
    if (isIPv6(address)) return this.#addBlock6(address, prefix)
    this.#blocks4 ??= new BlockList()
    this.#blocks4.addSubnet(address, prefix, 'ipv4')
    return true
  }

  #addBlock6(address: string, prefix: number): true {
    this.#blocks6 ??= new BlockList()
    this.#blocks6.addSubnet(address, prefix, 'ipv6')
    return true
  }
}

function splitZone(text: string): readonly [address: string, zone: string] {
  const percent = text.indexOf('%')
  return percent < 0 ? [text, ''] : [text.slice(0, percent), text.slice(percent + 1)]
}
