/**
 * The parts of `ws` that are used here. The package exports them, but neither its documents nor its types mention them:
 * what they are expected to do is held by spec/protocols/websocket/deflate.spec.ts.
 */
import * as exported from 'ws'

/** The parameters of one extension in one offer: each name with all its values, `true` for none. */
export type ExtensionParameters = Record<string, (string | true)[]>

/** Reads and writes `sec-websocket-extensions` (RFC 6455 9.1). */
interface ExtensionField {
  /** The offers for each extension; throws a SyntaxError. */
  parse(field: string): Record<string, ExtensionParameters[]>
  format(extensions: Record<string, readonly DeflateParameters[]>): string
}

/** What was agreed on. */
export type DeflateParameters = Record<string, string | number | boolean>

export interface PerMessageDeflateOptions {
  readonly isServer: true
  readonly serverMaxWindowBits: number
  readonly zlibDeflateOptions: { readonly memLevel: number }
  /** Of the process; the first one given counts. */
  readonly concurrencyLimit: number
}

type Done = (error: Error | null | undefined, data: Buffer) => void

/** What a server agrees to and deflates of RFC 7692, for one WebSocket. Calls of `compress` must not overlap. */
export interface MessageDeflate {
  /** Agrees to one of the offers; throws where there is none to agree to. */
  accept(offers: ExtensionParameters[]): DeflateParameters
  compress(data: Buffer | string, last: boolean, done: Done): void
  /** Frees the memory of zlib. */
  cleanup(): void
}

interface Exported {
  readonly extension: ExtensionField
  readonly PerMessageDeflate: new (options: PerMessageDeflateOptions) => MessageDeflate
}

const parts = exported as unknown as Exported

export const extension: ExtensionField = parts.extension
export const PerMessageDeflate: Exported['PerMessageDeflate'] = parts.PerMessageDeflate
