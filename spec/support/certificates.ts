/** Makes certificates with openssl, in a folder that is removed when the process ends. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate and its key, as files. */
export interface Issued {
  readonly cert: string
  readonly key: string
  /** The certificate alone, as `X509Certificate#toString` writes it. */
  readonly pem: string
}

export interface IssueSettings {
  /** As `openssl req -subj` takes it. */
  readonly subject?: string
  /** As the extension `subjectAltName` has it. */
  readonly names?: string
  /** Who signs it: the authority of this process by default, null for itself. */
  readonly by?: Issued | null
  readonly authority?: boolean
  /** What to encrypt the key with. */
  readonly passphrase?: string
}

let folder: string | undefined
let count = 0
const cache = new Map<string, Issued>()

/** The folder of the certificates. */
export function certificateFolder(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'tsgi-certificates-'))
    process.on('exit', () => rmSync(made, { recursive: true, force: true }))
    folder = made
  }
  return folder
}

/** The authority that signs where nobody else is named. */
export function authority(): Issued {
  return issue({ subject: '/CN=Test Authority', by: null, authority: true })
}

/** A certificate; the same settings give the same one. */
export function issue(settings: IssueSettings = {}): Issued {
  const id = JSON.stringify(settings)
  const known = cache.get(id)
  if (known !== undefined) return known
  const made = make(settings)
  cache.set(id, made)
  return made
}

/** A certificate that is new each time. */
export function issueNew(settings: IssueSettings = {}): Issued {
  return make(settings)
}

function make({ subject = '/CN=localhost', names = 'DNS:localhost,IP:127.0.0.1', by, authority: isAuthority = false, passphrase }: IssueSettings): Issued {
  const path = join(certificateFolder(), String(++count))
  const [cert, key, request, extensions] = ['cert.pem', 'key.pem', 'csr.pem', 'ext.cnf'].map((end) => `${path}.${end}`) as [string, string, string, string]
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', ...(passphrase === undefined ? [] : ['-aes-128-cbc', '-pass', `pass:${passphrase}`]), '-out', key)
  const password = passphrase === undefined ? [] : ['-passin', `pass:${passphrase}`]
  openssl('req', '-new', '-utf8', '-key', key, ...password, '-subj', subject, '-out', request)
  writeFileSync(extensions, isAuthority ? 'basicConstraints=critical,CA:TRUE\n' : `subjectAltName=${names}\n`)
  const signer = by === null ? null : by ?? authority()
  const signing = signer === null ? ['-signkey', key, ...password] : ['-CA', signer.cert, '-CAkey', signer.key, '-set_serial', String(1000 + count)]
  openssl('x509', '-req', '-in', request, '-days', '30', '-extfile', extensions, ...signing, '-out', cert)
  return { cert, key, pem: readFileSync(cert, 'utf8') }
}

/** Runs openssl and returns what it prints. */
export function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
