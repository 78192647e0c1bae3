import { X509Certificate } from 'node:crypto'

const versions: ReadonlyMap<number, string> = new Map([[0x0301, 'TLSv1'], [0x0302, 'TLSv1.1'], [0x0303, 'TLSv1.2'], [0x0304, 'TLSv1.3']])

/** A certificate in PEM as `tls.TLSSocket#getPeerCertificate()` gives it; an empty object for none. */
export function certificateObject(pem: string | undefined): object {
  return pem === undefined ? {} : new X509Certificate(pem).toLegacyObject()
}

/** The name of a version of TLS, given as TLS numbers it; null if it is not known. */
export function protocolName(version: number | null | undefined): string | null {
  return versions.get(version ?? 0) ?? null
}
