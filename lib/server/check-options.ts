import { createSecureContext } from 'node:tls'
import { InvalidOption } from '../contract/errors.ts'
import { bindsOf } from './binds.ts'
import type { CompleteOptions, ServerOptions } from './options.ts'

/** What an option must be beyond its kind, and which options go together. Throws `InvalidOption`. */
export function checkCombinations(given: ServerOptions, complete: CompleteOptions): void {
  checkAddresses(given)
  checkTls(complete)
  const { rootPath } = complete
  if (rootPath !== '' && !/^(?:\/[!-"$-.0->@-~]+)+$/.test(rootPath)) {
    throw new InvalidOption('rootPath', 'empty, or a path in ASCII that begins with / and does not end with one', rootPath)
  }
  for (const origin of complete.wsOrigins) {
    if (!isOrigin(origin)) throw new InvalidOption('wsOrigins', 'origins such as https://example.com, without a path', origin)
  }
}

function checkAddresses({ host, port, uds, fd, bind }: ServerOptions): void {
  const hostOrPort = host !== undefined || port !== undefined
  if (bind !== undefined && bind.length > 0 && (hostOrPort || uds !== undefined || fd !== undefined)) {
    throw new InvalidOption('bind', 'the only address: it excludes host, port, uds and fd', bind.join(', '))
  }
  if (fd !== undefined && (hostOrPort || uds !== undefined)) throw new InvalidOption('fd', 'the only address: it excludes host, port and uds', fd)
  if (uds !== undefined && hostOrPort) throw new InvalidOption('uds', 'the only address: it excludes host and port', uds)
  // An empty host would mean every address of the machine.
  if (host === '') throw new InvalidOption('host', 'an address', '')
  if (uds === '') throw new InvalidOption('uds', 'a path', '')
}

const tlsFiles = ['tlsCert', 'tlsKey', 'tlsCa'] as const
const onlyWithCertificate = ['tlsKey', 'tlsPassphrase', 'tlsCa', 'tlsCiphers', 'tlsContexts'] as const

function checkTls(options: CompleteOptions): void {
  const { tlsCert, tlsCa, tlsCiphers, tlsClientAuth, tlsContexts } = options
  for (const key of tlsFiles) if (options[key] === '') throw new InvalidOption(key, 'the path of a file', '')
  const secure = bindsOf(options).findIndex((bind) => bind.type === 'tcp' && bind.https)
  if (tlsCert === undefined) {
    if (secure !== -1) throw new InvalidOption('bind', 'http:// while no tlsCert is given', options.bind[secure])
    for (const key of onlyWithCertificate) {
      if (options[key] !== undefined) throw new InvalidOption(key, 'given with tlsCert only', key === 'tlsPassphrase' ? '…' : options[key])
    }
    if (tlsClientAuth !== 'none') throw new InvalidOption('tlsClientAuth', 'none where no tlsCert is given', tlsClientAuth)
    return
  }
  if (secure === -1) throw new InvalidOption('tlsCert', 'given with an https:// address only (there is no TLS on unix sockets and descriptors)', tlsCert)
  // Without a list of its own, any certificate that some public authority has issued would do.
  if (tlsClientAuth !== 'none' && tlsCa === undefined) throw new InvalidOption('tlsClientAuth', 'none where no tlsCa is given', tlsClientAuth)
  if (tlsClientAuth === 'none' && tlsCa !== undefined) throw new InvalidOption('tlsCa', 'given with tlsClientAuth optional or required only', tlsCa)
  if (tlsCiphers !== undefined) {
    try {
      createSecureContext({ ciphers: tlsCiphers })
    } catch {
      throw new InvalidOption('tlsCiphers', 'a list of cipher suites that OpenSSL knows', tlsCiphers)
    }
  }
  if (tlsContexts !== undefined) checkContexts(tlsContexts)
}

function checkContexts(contexts: unknown): void {
  if (typeof contexts !== 'object' || contexts === null) throw new InvalidOption('tlsContexts', 'an object', contexts)
  for (const [name, value] of Object.entries(contexts) as [string, unknown][]) {
    if (!/^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/i.test(name)) throw new InvalidOption('tlsContexts', 'an object whose keys are names such as example.com or *.example.com', name)
    const files = typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}
    if (!('context' in files) && typeof files['cert'] !== 'string') throw new InvalidOption(`tlsContexts['${name}']`, '{ cert, key, passphrase } with paths of files, or a SecureContext', value)
  }
}

/** Whether a browser could send this text as `origin` (RFC 6454 6.1), but for the case of its letters. */
function isOrigin(text: string): boolean {
  return text === 'null' || (URL.canParse(text) && (new URL(text).origin === text.toLowerCase() || /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+$/i.test(text)))
}
