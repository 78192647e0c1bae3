/** The attribute types that RFC 4514 3 has short names for. */
const shortNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
}

const SEQUENCE = 0x30
const CONTEXT_0 = 0xa0

/** One element of DER. */
interface Element {
  readonly tag: number
  readonly content: Buffer
  /** Tag and length included. */
  readonly whole: Buffer
}

/**
 * The subject of a certificate in DER, as RFC 4514 writes it: the last relative name first. It is read from the
 * certificate and not from Node's `subject`, which has lost the types that RFC 4514 needs. Throws for what is not DER.
 */
export function subjectName(certificate: Buffer): string {
  const [tbs] = children(first(certificate).content)
  const fields = children(tbs?.content ?? Buffer.alloc(0))
  // RFC 5280 4.1: version (if there is one), serialNumber, signature, issuer, validity, subject.
  const subject = fields[fields[0]?.tag === CONTEXT_0 ? 5 : 4]
  if (subject?.tag !== SEQUENCE) throw new Error('the certificate has no subject')
  return children(subject.content).reverse().map((set) => children(set.content).map(attribute).join('+')).join(',')
}

function attribute({ content }: Element): string {
  const [type, value] = children(content)
  if (type === undefined || value === undefined) throw new Error('an attribute without type or value')
  const oid = objectIdentifier(type.content)
  const name = shortNames[oid]
  const text = name === undefined ? null : textOf(value)
  // RFC 4514 2.4: what has no short name, or no form as a string, is written as its BER in hexadecimal.
  return text === null ? `${name ?? oid}=#${value.whole.toString('hex')}` : `${name}=${escaped(text)}`
}

/** The text of a value of one of ASN.1's string types; null for other types, and for what is not valid. */
function textOf({ tag, content }: Element): string | null {
  try {
    switch (tag) {
      case 12: // UTF8String
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
      case 18: // NumericString
      case 19: // PrintableString
      case 22: // IA5String
      case 26: // VisibleString
        return content.every((byte) => byte < 0x80) ? content.toString('latin1') : null
      case 30: // BMPString
        return new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true }).decode(content)
      default:
        return null
    }
  } catch {
    return null
  }
}

/** RFC 4514 2.4; control characters in hexadecimal, so that a name stays on its line. */
function escaped(text: string): string {
  const inner = text.replaceAll(/["+,;<>\\]/g, '\\$&').replaceAll(/[\0-\x1f\x7f]/g, (control) => `\\${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
  const begun = /^[ #]/.test(text) ? `\\${inner}` : inner
  return text.length > 1 && text.endsWith(' ') ? `${begun.slice(0, -1)}\\ ` : begun
}

function objectIdentifier(content: Buffer): string {
  const numbers: bigint[] = []
  let value = 0n
  for (const byte of content) {
    value = (value << 7n) | BigInt(byte & 0x7f)
    if (byte < 0x80) {
      numbers.push(value)
      value = 0n
    }
  }
  const [head = 0n, ...rest] = numbers
  const top = head < 80n ? head / 40n : 2n
  return [top, head - top * 40n, ...rest].join('.')
}

function children(content: Buffer): Element[] {
  const elements: Element[] = []
  for (let rest = content; rest.length > 0;) {
    const element = first(rest)
    elements.push(element)
    rest = rest.subarray(element.whole.length)
  }
  return elements
}

function first(bytes: Buffer): Element {
  const tag = bytes[0]
  const short = bytes[1]
  if (tag === undefined || short === undefined) throw new Error('cut short')
  const more = short < 0x80 ? 0 : short & 0x7f
  // No length of a certificate needs more than four bytes; 0x80 is BER's indefinite length.
  if (short === 0x80 || more > 4 || bytes.length < 2 + more) throw new Error('no length of DER')
  const length = more === 0 ? short : bytes.readUIntBE(2, more)
  const end = 2 + more + length
  if (end > bytes.length) throw new Error('cut short')
  return { tag, content: bytes.subarray(2 + more, end), whole: bytes.subarray(0, end) }
}
