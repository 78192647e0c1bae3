import { BadRequest, UnsupportedMediaType } from '../contract/errors.ts'
import { parseMediaType } from './media-type.ts'
import { decodeUtf8 } from './text.ts'

/** What the header of a part of a form says. */
export interface PartHead {
  /** The name of the field. */
  readonly name: string
  /** The name of the file, without folders; null for a text field. */
  readonly filename: string | null
  /** The media type as it was given; empty if it was not. */
  readonly contentType: string
}

/** Reads the header of a part (RFC 7578 4). Throws `BadRequest` and `UnsupportedMediaType`. */
export function parsePartHead(header: Buffer): PartHead {
  const text = decodeUtf8(header, 'the header of a part of the form')
  const fields = new Map<string, string>()
  for (const line of text === '' ? [] : text.split('\r\n')) {
    // No folded lines, and no control characters: RFC 7578 has no use for them, and parsers differ.
    const [, name = '', value = ''] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\0-\x08\x0a-\x1f\x7f]*)$/.exec(line) ?? []
    const lower = name.toLowerCase()
    if (lower === '' || fields.has(lower)) throw malformed(lower === '' ? 'a malformed field' : `two fields ${lower}`)
    fields.set(lower, value.trim())
  }
  const disposition = fields.get('content-disposition')
  if (disposition === undefined) throw malformed('no content-disposition')
  // RFC 7578 4.7: deprecated; whoever does not know it would take the text for the content.
  const encoding = fields.get('content-transfer-encoding')?.toLowerCase() ?? 'binary'
  if (encoding !== 'binary' && encoding !== '8bit' && encoding !== '7bit') throw malformed(`content-transfer-encoding ${JSON.stringify(encoding)}`)
  const { name, filename } = parseDisposition(disposition)
  const contentType = fields.get('content-type') ?? ''
  if (filename === null) requireUtf8(contentType)
  return { name, filename: filename === null ? null : baseName(filename), contentType }
}

// A quoted value may hold a quote as \" only: browsers send %22, others that.
const PARAMETER = /[ \t]*;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\[^])*)"|([!#$%&'*+\-.^_`|~0-9A-Za-z]+))/y

function parseDisposition(value: string): { readonly name: string; readonly filename: string | null } {
  const type = /^form-data(?=[ \t]*;)/i.exec(value)
  if (type === null) throw malformed('a content-disposition other than form-data with a name')
  const parameters = new Map<string, string>()
  for (let at = type[0].length; at < value.length;) {
    PARAMETER.lastIndex = at
    const found = PARAMETER.exec(value)
    if (found === null) throw malformed('a malformed content-disposition')
    at = PARAMETER.lastIndex
    const name = (found[1] ?? '').toLowerCase()
    if (parameters.has(name)) throw malformed(`two parameters ${name}`)
    parameters.set(name, found[2] === undefined ? found[3] ?? '' : unquoted(found[2]))
  }
  const name = parameters.get('name')
  const filename = parameters.get('filename') ?? null
  if (name === undefined) throw malformed('no name')
  // RFC 7578 4.2: it must not be used. Beside a filename it is passed over; alone it would make a text of a file.
  if (filename === null && parameters.has('filename*')) throw malformed('filename* in place of filename')
  return { name, filename }
}

/** Undoes what browsers and others do to quotes, and browsers to line ends. Other backslashes stay: they are Windows paths. */
function unquoted(text: string): string {
  return text.replace(/\\(["\\])|%(22|0[AD])/gi, (_, escaped: string | undefined, hex: string | undefined) => {
    return escaped ?? String.fromCharCode(parseInt(hex ?? '', 16))
  })
}

/** The last part of a path, of either system, without control characters; empty for a folder. */
function baseName(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1).replace(/[\0-\x1f\x7f-\x9f]/g, '').trim()
  return name === '.' || name === '..' ? '' : name
}

/** A text in another charset could be read as another text by whoever filters it. */
function requireUtf8(contentType: string): void {
  if (contentType === '') return
  const media = parseMediaType(contentType)
  if (media === null) throw malformed('a malformed content-type')
  requireFormCharset(media.parameters.get('charset') ?? 'utf-8')
}

/** Forms are UTF-8, as all browsers send them. Throws `UnsupportedMediaType`. */
export function requireFormCharset(charset: string): void {
  if (!/^(?:utf-?8|us-ascii)$/i.test(charset)) throw new UnsupportedMediaType(`a form must be UTF-8, found charset ${JSON.stringify(charset)}`)
}

function malformed(what: string): BadRequest {
  return new BadRequest(`the header of a part of the form has ${what} (RFC 7578)`)
}
