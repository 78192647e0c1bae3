import type { HeaderPair } from '../../lib/contract/headers.ts'
import { FieldParser } from '../../lib/protocols/http1/field-parser.ts'

/** Bytes and fields that the head of a response may have. */
const LIMIT = 65536
const FIELDS = 200

/** The head of a response as it came. */
export interface UpstreamHead {
  readonly status: number
  readonly fields: readonly HeaderPair[]
}

/** Fields about the connection to the upstream (RFC 9110 7.6.1), and CGI's way to say the status. */
const dropped: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'status', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

/** Reads the head of a response: a status line and fields, or the fields alone, `Status` among them, as a CGI program writes them. */
export class ResponseHeadParser extends FieldParser {
  /** The bytes that came behind the head. */
  rest: Buffer = Buffer.alloc(0)
  #bytes: Buffer = Buffer.alloc(0)
  #begun = false
  #fieldsStart = 0
  #status: number | null = null
  #fields: HeaderPair[] = []

  constructor() {
    super(FIELDS)
  }

  /** Takes bytes. Returns the head once it is whole, null before, or a sentence that says why it is none. */
  read(bytes: Buffer): UpstreamHead | string | null {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes])
    if (!this.#begun) {
      const wrong = this.#readLine()
      if (wrong !== null) return wrong
      if (!this.#begun) return null
    }
    const all = this.#bytes
    const complete = this.readFields(all, this.#fieldsStart, Math.min(all.length, LIMIT))
    if (this.refusal !== null) return this.refusal.reason
    if (!complete) return all.length >= LIMIT ? `a head of more than ${LIMIT} bytes` : null
    this.rest = all.subarray(this.#fieldsStart + this.at)
    const status = this.#status ?? this.#cgiStatus()
    if (status === null) return 'neither a status line nor a Status field'
    return status < 100 || status > 599 ? `a status of ${status}` : { status, fields: this.#fields }
  }

  protected override field(bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    this.#fields.push([bytes.toString('latin1', nameStart, nameEnd).toLowerCase(), bytes.toString('latin1', valueStart, valueEnd)])
  }

  #readLine(): string | null {
    const all = this.#bytes
    const start = all.toString('latin1', 0, 5)
    if (!'HTTP/'.startsWith(start)) {
      this.#begun = true
      this.resetFields()
      return null
    }
    const end = all.indexOf('\r\n')
    if (end < 0) return all.length > LIMIT ? 'a status line without an end' : null
    // uWSGI answers with the version that SERVER_PROTOCOL names.
    const [, status] = /^HTTP\/[1-3](?:\.[0-9])? ([0-9]{3})(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(all.toString('latin1', 0, end)) ?? []
    if (status === undefined) return 'a malformed status line (RFC 9112 4)'
    this.#status = Number(status)
    this.#fieldsStart = end + 2
    this.#begun = true
    this.resetFields()
    return null
  }

  #cgiStatus(): number | null {
    const values = this.#fields.filter(([name]) => name === 'status')
    const [, status] = /^([0-9]{3})(?: .*)?$/.exec(values[0]?.[1] ?? '') ?? []
    return values.length === 1 && status !== undefined ? Number(status) : null
  }
}

/** How a response's body ends: after so many bytes, with its last chunk, with the connection. */
export type BodyFraming = number | 'chunked' | 'close'

/** How the body ends (RFC 9112 6.3), or a sentence that says why nobody can tell. */
export function framingOf({ status, fields }: UpstreamHead, method: string): { readonly framing: BodyFraming } | string {
  const lengths = fields.filter(([name]) => name === 'content-length')
  const codings = fields.filter(([name]) => name === 'transfer-encoding').map(([, value]) => value.toLowerCase())
  const [, length = ''] = lengths[0] ?? []
  if (lengths.length > 1) return 'a second Content-Length (RFC 9112 6.3)'
  if (lengths.length === 1 && !(/^[0-9]+$/.test(length) && Number.isSafeInteger(Number(length)))) return 'a Content-Length that is not one number (RFC 9112 6.3)'
  if (codings.length > 0 && (codings.length > 1 || codings[0] !== 'chunked')) return 'a transfer coding other than chunked (RFC 9112 6.1)'
  if (codings.length > 0 && lengths.length > 0) return 'Content-Length beside Transfer-Encoding (RFC 9112 6.1)'
  if (method === 'HEAD' || status === 204 || status === 304) return { framing: 0 }
  return { framing: codings.length > 0 ? 'chunked' : lengths.length > 0 ? Number(length) : 'close' }
}

/** The fields that are passed on to the client. */
export function forwardedFields({ fields }: UpstreamHead): readonly HeaderPair[] {
  const named = fields.filter(([name]) => name === 'connection').flatMap(([, value]) => value.toLowerCase().split(',').map((option) => option.trim()))
  return fields.filter(([name]) => !dropped.has(name) && !named.includes(name))
}
