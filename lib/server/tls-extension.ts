import type { X509Certificate } from 'node:crypto'
import type { Server as TlsServer, TLSSocket } from 'node:tls'
import type { TlsExtension } from '../contract/scope.ts'
import { cipherSuites } from './cipher-suites.ts'
import { subjectName } from './distinguished-name.ts'

/** Certificates of a client at most: no honest chain is longer. */
const LONGEST_CHAIN = 16

const versions: Readonly<Record<string, number>> = { TLSv1: 0x0301, 'TLSv1.1': 0x0302, 'TLSv1.2': 0x0303, 'TLSv1.3': 0x0304 }

/** What clients sent, as it was before Node looked at it; undefined until the handshake is done. */
const early = new WeakMap<TLSSocket, X509Certificate | undefined>()

/**
 * Lets `tlsExtension` tell the whole chain of a client; for a server that asks for certificates.
 * OpenSSL gives the chain away once, and some releases of Node (24.21 is one) spend it on a look of their own before
 * `secureConnection` (nodejs/node#65579). So it is taken just before that. `keylog` costs next to nothing, its keys
 * are not looked at; it is the one event that names the socket during every handshake.
 */
export function keepClientChains(server: TlsServer): void {
  server.on('keylog', (_line, socket) => {
    if (early.has(socket)) return
    early.set(socket, undefined)
    socket.prependOnceListener('secure', keepChain)
  })
}

function keepChain(this: TLSSocket): void {
  early.set(this, this.getPeerX509Certificate())
}

/** What scopes are told of a connection; made once for each. `serverCert` is the certificate in use, null to ask OpenSSL. */
export function tlsExtension(socket: TLSSocket, serverCert: string | null): TlsExtension {
  // For what it is, with a certificate or without, this costs next to nothing; asking for our own costs 0.2 ms.
  const client = early.get(socket) ?? socket.getPeerX509Certificate()
  return Object.freeze({
    serverCert: serverCert ?? socket.getX509Certificate()?.toString() ?? null,
    clientCertChain: client === undefined ? noChain : chainOf(client),
    clientCertName: client === undefined ? null : nameOf(client),
    clientCertError: client === undefined || socket.authorized ? null : String(socket.authorizationError),
    tlsVersion: versions[socket.getProtocol() ?? ''] ?? null,
    cipherSuite: cipherSuites[socket.getCipher()?.name ?? ''] ?? null,
  })
}

const noChain: readonly string[] = Object.freeze([])

/** The certificates that the client sent, its own first; none that are only in our store. */
function chainOf(leaf: X509Certificate): readonly string[] {
  const chain: string[] = []
  for (let each: X509Certificate | undefined = leaf; each !== undefined && chain.length < LONGEST_CHAIN; each = each.issuerCertificate) chain.push(each.toString())
  return Object.freeze(chain)
}

function nameOf(certificate: X509Certificate): string | null {
  try {
    return subjectName(certificate.raw)
  } catch {
    return null
  }
}
