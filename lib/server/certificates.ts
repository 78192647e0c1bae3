import { createHash, createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { TlsFailed } from '../contract/errors.ts'
import type { CompleteOptions } from './options.ts'

/** A certificate and its key, as paths of PEM files. */
export interface TlsFiles {
  /** The certificate and those that lead to its root. */
  readonly cert: string
  /** Its key. Default: the same file. */
  readonly key?: string
  /** What the key is encrypted with. */
  readonly passphrase?: string
}

/**
 * Certificates by the name that clients ask for: `example.com`, or `*.example.com` for one label before it. An exact
 * name goes before a pattern. Files are read again at a reload; a `SecureContext` is used as it is.
 */
export type TlsContexts = Readonly<Record<string, TlsFiles | SecureContext>>

/** A certificate ready for use. */
interface Certificate {
  readonly context: SecureContext
  /** The certificate itself; null if it is not known, in a context that was given. */
  readonly pem: string | null
}

/** All certificates of a server, read at one time. */
export interface Certificates {
  /** What the TLS server is set up with. */
  readonly options: SecureContextOptions
  /** The certificate for clients that ask for no name, or for one that is not in `names`. */
  readonly pem: string
  readonly names: ReadonlyMap<string, Certificate>
  /** Changes when the content of a file does. */
  readonly digest: string
  /** What is odd, but can be used. */
  readonly warnings: readonly string[]
}

/** Sessions that were begun with one of the contexts may go on with another: they share authorities and mode. */
const SESSIONS = 'tsgi'

/** The files of all certificates that the options name. */
export function certificateFiles({ tlsCert, tlsKey, tlsCa, tlsContexts = {} }: CompleteOptions): readonly string[] {
  const named = Object.values(tlsContexts).flatMap((each) => (isContext(each) ? [] : [each.cert, each.key]))
  return [...new Set([tlsCert, tlsKey, tlsCa, ...named].filter((path) => path !== undefined))]
}

/** Reads and checks every certificate; null when the options name none. Throws `TlsFailed`. */
export function loadCertificates(options: CompleteOptions): Certificates | null {
  const { tlsCert, tlsKey, tlsPassphrase, tlsCa, tlsMinVersion, tlsCiphers, tlsContexts = {} } = options
  if (tlsCert === undefined) return null
  const warnings: string[] = []
  const hash = createHash('sha256')
  const read = (what: string, path: string): Buffer => {
    const bytes = readPem(what, path)
    hash.update(bytes).update('\0')
    return bytes
  }
  const common: SecureContextOptions = { minVersion: tlsMinVersion, honorCipherOrder: true, sessionIdContext: SESSIONS }
  if (tlsCiphers !== undefined) common.ciphers = tlsCiphers
  if (tlsCa !== undefined) common.ca = authorities(read('the authorities', tlsCa), tlsCa)

  const prepare = ({ cert, key = cert, passphrase }: { readonly cert: string; readonly key?: string | undefined; readonly passphrase?: string | undefined }): { options: SecureContextOptions; pem: string } => {
    const certText = read('the certificate', cert)
    const certificate = parse(certText, cert)
    const keyText = key === cert ? certText : read('the key', key)
    if (!certificate.checkPrivateKey(parseKey(keyText, key, passphrase))) throw new TlsFailed(`the key ${key} does not belong to the certificate ${cert}`)
    if (Date.parse(certificate.validTo) < Date.now()) warnings.push(`the certificate ${cert} has expired, ${certificate.validTo}`)
    const all: SecureContextOptions = { ...common, cert: certText, key: keyText }
    if (passphrase !== undefined) all.passphrase = passphrase
    return { options: all, pem: certificate.toString() }
  }
  const make = (all: SecureContextOptions, cert: string): SecureContext => {
    try {
      return createSecureContext(all)
    } catch (error) {
      throw new TlsFailed(`the certificate ${cert} cannot be used: ${reasonOf(error)}`, { cause: error })
    }
  }

  const main = prepare({ cert: tlsCert, key: tlsKey, passphrase: tlsPassphrase })
  make(main.options, tlsCert)
  const names = new Map<string, Certificate>()
  for (const [name, each] of Object.entries(tlsContexts)) {
    if (isContext(each)) {
      names.set(name.toLowerCase(), { context: each, pem: null })
    } else {
      const prepared = prepare(each)
      names.set(name.toLowerCase(), { context: make(prepared.options, each.cert), pem: prepared.pem })
    }
  }
  return { options: main.options, pem: main.pem, names, digest: hash.digest('hex'), warnings }
}

/** The certificate for a name that a client asks for; undefined for the one of `tlsCert`. */
export function certificateFor({ names }: Certificates, serverName: string): Certificate | undefined {
  const name = serverName.toLowerCase()
  return names.get(name) ?? names.get(`*${name.slice(Math.max(name.indexOf('.'), 0))}`)
}

function isContext(value: TlsFiles | SecureContext): value is SecureContext {
  return 'context' in value
}

function readPem(what: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new TlsFailed(`cannot read ${what} ${path}: ${fileReason(error as NodeJS.ErrnoException)}`, { cause: error })
  }
}

function parse(text: Buffer, path: string): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch (error) {
    throw new TlsFailed(`the certificate ${path} is not a certificate in PEM: ${reasonOf(error)}`, { cause: error })
  }
}

/** The certificates of a bundle; Node takes the whole text, but says nothing of one that holds none. */
function authorities(text: Buffer, path: string): Buffer {
  const found = text.toString('latin1').match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END/g) ?? []
  if (found.length === 0) throw new TlsFailed(`the authorities ${path} are not certificates in PEM`)
  for (const each of found) {
    try {
      new X509Certificate(`${each}${each.includes('TRUSTED') ? ' TRUSTED' : ''} CERTIFICATE-----\n`)
    } catch (error) {
      throw new TlsFailed(`the authorities ${path} hold a certificate that is broken: ${reasonOf(error)}`, { cause: error })
    }
  }
  return text
}

function parseKey(text: Buffer, path: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? { key: text } : { key: text, passphrase })
  } catch (error) {
    const encrypted = text.includes('ENCRYPTED')
    const reason = !encrypted ? `is not a private key in PEM: ${reasonOf(error)}` : passphrase === undefined ? 'is encrypted and needs tlsPassphrase' : 'cannot be decrypted: the passphrase is wrong'
    throw new TlsFailed(`the key ${path} ${reason}`, { cause: error })
  }
}

function fileReason(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return 'no such file'
    case 'EACCES':
      return 'permission denied'
    case 'EISDIR':
      return 'it is a folder'
    default:
      return error.message
  }
}

/** OpenSSL's `error:0480006C:PEM routines::no start line` without its number. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().replace(/^error:[0-9A-F]+:/, '').replace('routines::', 'routines: ')
}
