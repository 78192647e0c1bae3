import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { TlsExtension } from '../contract/scope.ts'
import { cipherSuites } from './cipher-suites.ts'
import { subjectName } from './distinguished-name.ts'

/** Certificates of a client at most: no honest chain is longer. */
const LONGEST_CHAIN = 16

const versions: Readonly<Record<string, number>> = { TLSv1: 0x0301, 'TLSv1.1': 0x0302, 'TLSv1.2': 0x0303, 'TLSv1.3': 0x0304 }

/** What scopes are told of a connection; made once for each. `serverCert` is the certificate in use, null to ask OpenSSL. */
export function tlsExtension(socket: TLSSocket, serverCert: string | null): TlsExtension {
  // For what it is, with a certificate or without, this costs next to nothing; asking for our own costs 0.2 ms.
  const client = socket.getPeerX509Certificate()
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

/** The certificates that the client sent, its own first. */
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
