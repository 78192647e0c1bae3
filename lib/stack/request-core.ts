import { disconnectSignal } from '../contract/disconnect.ts'
import { BadRequest, SuspiciousOperation } from '../contract/errors.ts'
import type { HttpScope } from '../contract/scope.ts'
import { RequestBody, type BodyCount, type BodySource, type ChunkReader, type Reading } from './body.ts'
import { parseCookies } from './cookies.ts'
import { runAsync, runSync } from './effects.ts'
import { Form, formData, formFrom, type FormParts } from './form.ts'
import { readMultipart } from './form-reader.ts'
import { requestLimits, type RequestLimits } from './limits.ts'
import { parseMediaType, type MediaType } from './media-type.ts'
import { Once } from './once.ts'
import { requireFormCharset } from './part-head.ts'
import type { AsyncHttpRequest, NeutralHttpRequest, SyncHttpRequest } from './request.ts'
import { pathBeneath, requestHead, wholePath, type RequestFields, type RequestHead } from './request-head.ts'
import { TempFiles } from './temp-files.ts'
import { decodeText, decodeUtf8 } from './text.ts'
import { parseUrlencoded } from './urlencoded.ts'

/** What a request may be made with. */
export interface RequestCoreOptions {
  readonly limits?: Partial<RequestLimits> | undefined
  /** Makes the signal that aborts when the client leaves. Default: that of the scope, if the fields are one, else one that never aborts. */
  readonly signal?: (() => AbortSignal) | undefined
  /** Default: an empty one. */
  readonly state?: Record<string, unknown> | undefined
  readonly params?: Readonly<Record<string, string>> | undefined
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({})

/** One request, whichever face of it is looked at: what one face has read, the others have too. */
export class RequestCore implements BodyCount {
  readonly fields: RequestFields
  readonly limits: RequestLimits
  /** The faces that were made. */
  asyncFace: AsyncHttpRequest | null = null
  syncFace: SyncHttpRequest | null = null
  neutralFace: NeutralHttpRequest | null = null
  /** What layers tell those beneath them; plain data, since it crosses to threads. */
  state: Record<string, unknown>
  /** What the route's names matched. */
  params: Readonly<Record<string, string>>
  /** Whether the stack that answers is in debug mode. */
  debug = false
  /** How much of the body has been read on this side, and on the other one. */
  bodyTaken = 0
  bodyTakenThere = 0
  /** How much of it layers let be read, however it is; 0 is no limit. */
  bodyLimit = 0

  // Made when they are needed: most requests have no body.
  readonly #source: BodySource
  #madeBody: RequestBody | null = null
  #madeTemp: TempFiles | null = null
  #madeForm: Once<Form> | null = null
  #over = false
  readonly #makeSignal: (() => AbortSignal) | undefined
  #signal: AbortSignal | null = null
  #path: string | null = null
  #pathInfo: string | null = null
  #query: URLSearchParams | null = null
  #cookies: ReadonlyMap<string, string> | null = null
  #mediaType: MediaType | null | undefined = undefined

  constructor(fields: RequestFields, source: BodySource, options: RequestCoreOptions = {}) {
    this.fields = fields
    this.limits = requestLimits(options.limits)
    this.state = options.state ?? {}
    this.params = options.params ?? NO_PARAMS
    this.#source = source
    this.#makeSignal = options.signal
  }

  get head(): RequestHead {
    return requestHead(this.fields)
  }

  get path(): string {
    return this.#path ??= wholePath(this.fields)
  }

  get pathInfo(): string {
    return this.#pathInfo ??= pathBeneath(this.path, this.fields.rootPath)
  }

  get query(): URLSearchParams {
    return this.#query ??= new URLSearchParams(this.fields.queryString)
  }

  get cookies(): ReadonlyMap<string, string> {
    return this.#cookies ??= parseCookies(this.fields.headers.getAll('cookie'))
  }

  get host(): string {
    const { headers, server } = this.fields
    const host = headers.get('host')
    if (host === undefined || host === '') return hostOf(server)
    if (!HOST.test(host)) throw new SuspiciousOperation(`the host field is no host: ${JSON.stringify(host)}`)
    return host.toLowerCase()
  }

  /** The media type of the body; null for none, and for a malformed one. */
  get mediaType(): MediaType | null {
    if (this.#mediaType === undefined) {
      const field = this.fields.headers.get('content-type')
      this.#mediaType = field === undefined ? null : parseMediaType(field)
    }
    return this.#mediaType
  }

  get contentLength(): number | null {
    const field = this.fields.headers.get('content-length')
    return field !== undefined && /^[0-9]+$/.test(field) ? Number(field) : null
  }

  get signal(): AbortSignal {
    return this.#signal ??= this.#makeSignal?.() ?? disconnectSignal(this.fields as HttpScope)
  }

  /** The whole body, if it has been read. */
  get cachedBytes(): Buffer | null {
    return this.#madeBody?.cached ?? null
  }

  /** The form, if it has been read. */
  get cachedForm(): Form | null {
    return this.#madeForm?.value ?? null
  }

  bytes(): Reading<Buffer> {
    return this.#body.bytes(this.limits.bodySize, this.contentLength)
  }

  *text(): Reading<string> {
    return decodeText(yield* this.bytes(), this.mediaType?.parameters.get('charset') ?? 'utf-8')
  }

  *json(): Reading<unknown> {
    const text = yield* this.text()
    try {
      return JSON.parse(text) as unknown
    } catch (error) {
      throw new BadRequest('the body is not JSON', { cause: error })
    }
  }

  chunks(): ChunkReader {
    return this.#body.chunks()
  }

  form(): Reading<Form> {
    return this.#form.get(() => this.#readForm())
  }

  /** Bounds the body for every way to read it, on both sides; a tighter bound that it has stays. */
  limitBody(bytes: number): void {
    if (bytes > 0 && (this.bodyLimit === 0 || bytes < this.bodyLimit)) this.bodyLimit = bytes
  }

  /** Takes a body that was read elsewhere, on a thread or on the loop. */
  adoptBytes(bytes: Buffer): void {
    this.#body.adopt(bytes)
  }

  /** Takes a form that was read elsewhere. If `owned`, its temporary files are deleted with this request. */
  adoptForm(parts: FormParts, owned: boolean): void {
    const form = formFrom(parts)
    this.#own(form)
    if (owned) for (const { path, temporary } of parts.files) if (path !== null && temporary) this.#temp.adopt(path)
    this.#form.set(form)
  }

  /** Gives the form away, as plain data: who takes it deletes its temporary files. null if it has not been read. */
  releaseForm(): FormParts | null {
    const form = this.cachedForm
    if (form === null) return null
    const parts = formData(form)
    for (const { path } of parts.files) if (path !== null) this.#temp.release(path)
    return parts
  }

  /** Ends the request: deletes its temporary files. Blocking. */
  close(): void {
    this.#end()
    if (this.#madeTemp?.idle === false) runSync(this.#madeTemp.remove())
  }

  /** The same, awaiting. */
  async closeAsync(): Promise<void> {
    this.#end()
    if (this.#madeTemp?.idle === false) await runAsync(this.#madeTemp.remove())
  }

  #end(): void {
    this.#over = true
    this.#madeTemp?.end()
  }

  get #body(): RequestBody {
    return this.#madeBody ??= new RequestBody(this.#source, this)
  }

  get #form(): Once<Form> {
    return this.#madeForm ??= new Once()
  }

  get #temp(): TempFiles {
    if (this.#madeTemp === null) {
      this.#madeTemp = new TempFiles()
      if (this.#over) this.#madeTemp.end()
    }
    return this.#madeTemp
  }

  *#readForm(): Reading<Form> {
    const field = this.fields.headers.get('content-type')
    if (field === undefined) return new Form()
    const media = this.mediaType
    if (media === null) throw new BadRequest(`the content-type is malformed: ${JSON.stringify(field)}`)
    switch (media.type) {
      case 'application/x-www-form-urlencoded':
        requireFormCharset(media.parameters.get('charset') ?? 'utf-8')
        return new Form(parseUrlencoded(decodeUtf8(yield* this.bytes(), 'the form'), this.limits))
      case 'multipart/form-data': {
        requireFormCharset(media.parameters.get('charset') ?? 'utf-8')
        const form = yield* readMultipart(this.chunks(), media.parameters.get('boundary'), this.limits, this.#temp)
        this.#own(form)
        return form
      }
      default:
        return new Form()
    }
  }

  /** A file that is moved to its place is no temporary file any more. */
  #own(form: Form): void {
    for (const file of form.files) file.onMoved((path) => this.#temp.release(path))
  }
}

// RFC 3986 3.2.2, as strict as Django: names, IPv4 and IPv6 addresses, a port.
const HOST = /^(?:[a-z0-9_.-]+|\[[a-f0-9:.]+\])(?::[0-9]{1,5})?$/i

function hostOf(server: RequestFields['server']): string {
  if (server === null || server[1] === null) return 'localhost'
  const [name, port] = server
  const host = name.includes(':') && !name.startsWith('[') ? `[${name}]` : name
  return port === 80 || port === 443 ? host : `${host}:${port}`
}
