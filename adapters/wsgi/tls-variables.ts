import type { HttpScope } from '../../lib/contract/scope.ts'
import { cipherSuites } from '../../lib/server/cipher-suites.ts'

const versions: Readonly<Record<number, string>> = { 0x0300: 'SSLv3', 0x0301: 'TLSv1', 0x0302: 'TLSv1.1', 0x0303: 'TLSv1.2', 0x0304: 'TLSv1.3' }

let ciphers: ReadonlyMap<number, string> | null = null

/** The variables of Apache's mod_ssl that are known of a request over TLS: names and values in turn; null for none. */
export function tlsVariables(scope: HttpScope): readonly string[] | null {
  const { tls } = scope.extensions
  if (tls === undefined) return null
  ciphers ??= new Map(Object.entries(cipherSuites).map(([name, number]) => [number, name]))
  const [leaf, ...others] = tls.clientCertChain
  const known: readonly (readonly [name: string, value: string | null | undefined])[] = [
    ['SSL_PROTOCOL', versions[tls.tlsVersion ?? -1]],
    ['SSL_CIPHER', ciphers.get(tls.cipherSuite ?? -1)],
    ['SSL_SERVER_CERT', tls.serverCert],
    ['SSL_CLIENT_VERIFY', tls.clientCertError === null ? leaf === undefined ? 'NONE' : 'SUCCESS' : `FAILED:${tls.clientCertError}`],
    ['SSL_CLIENT_CERT', leaf],
    ['SSL_CLIENT_S_DN', tls.clientCertName],
    ...others.map((pem, index) => [`SSL_CLIENT_CERT_CHAIN_${index}`, pem] as const),
  ]
  const variables: string[] = []
  // A name may have characters beyond Latin-1: the variables have those of its bytes.
  for (const [name, value] of known) if (value !== null && value !== undefined) variables.push(name, Buffer.from(value).toString('latin1'))
  return variables
}
