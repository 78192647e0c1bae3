import { createHash } from 'node:crypto'
import { weakened } from '../../semantics/entity-tag.ts'

/** An entity tag of bytes: the same bytes have the same one. */
export function etagOf(bytes: Uint8Array, weak: boolean): string {
  const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`
  return weak ? weakened(tag) : tag
}
