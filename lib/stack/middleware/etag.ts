import { createHash } from 'node:crypto'

/** RFC 9110 8.8.3. */
const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/y
const SEPARATOR = /[ \t,]*/y

/** An entity tag of bytes: the same bytes have the same one. */
export function etagOf(bytes: Uint8Array, weak: boolean): string {
  const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`
  return weak ? `W/${tag}` : tag
}

/** The tag without its strength. */
function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}

/** The same tag as a weak one: it says that the meaning is the same, not each byte. */
export function weakened(tag: string): string {
  return tag.startsWith('"') ? `W/${tag}` : tag
}

/** Whether two tags are the same by the weak comparison (RFC 9110 8.8.3.2). */
export function weaklySame(one: string, other: string): boolean {
  return opaque(one) === opaque(other)
}

/** The same by the strong one: two weak tags never are. */
export function stronglySame(one: string, other: string): boolean {
  return one === other && one.startsWith('"')
}

/** Reads `if-match` or `if-none-match`: `*`, or its tags up to what is malformed. */
export function parseTags(fields: readonly string[]): '*' | readonly string[] {
  const field = fields.join(',').trim()
  if (field === '*') return '*'
  const tags: string[] = []
  for (let at = 0; at < field.length;) {
    SEPARATOR.lastIndex = at
    SEPARATOR.exec(field)
    TAG.lastIndex = SEPARATOR.lastIndex
    const [tag] = TAG.exec(field) ?? []
    if (tag === undefined) break
    tags.push(tag)
    at = TAG.lastIndex
  }
  return tags
}
