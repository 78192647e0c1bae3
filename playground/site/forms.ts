/** Checks what visitors send. */
import type { Draft } from './posts.ts'

/** The most characters of each field. */
export const LIMITS: { readonly [Key in keyof Draft]: number } = { title: 80, body: 4000 }

/** What is wrong, by field. */
export type Troubles = Readonly<Partial<Record<keyof Draft, string>>>

/** What was sent, without what is invisible. */
export function draftOf(field: (name: keyof Draft) => unknown): Draft {
  const text = (name: keyof Draft): string => {
    const value = field(name)
    return typeof value === 'string' ? value : ''
  }
  const title = text('title').replace(/[\p{Cc}\s]+/gu, ' ').trim()
  const body = text('body').replaceAll('\r\n', '\n').replace(/[^\P{Cc}\n\t]/gu, '').replace(/\n{3,}/g, '\n\n').trim()
  return { title, body }
}

/** What is wrong with it; null if nothing is. */
export function troublesOf(draft: Draft): Troubles | null {
  const troubles: Partial<Record<keyof Draft, string>> = {}
  if (draft.title === '') troubles.title = 'Please give it a title.'
  if (draft.body === '') troubles.body = 'Please write a few words.'
  for (const name of ['title', 'body'] as const) {
    const length = [...draft[name]].length
    if (length > LIMITS[name]) troubles[name] = `This has ${length} characters, and ${LIMITS[name]} is the most.`
  }
  return Object.keys(troubles).length === 0 ? null : troubles
}

/** In bytes. */
export const PICTURE_LIMIT: number = 2 * 2 ** 20

/** What a file of each type begins with. What the browser says of a file is not believed. */
const kinds: readonly (readonly [ending: string, start: RegExp])[] = [
  ['png', /^\x89PNG\r\n\x1a\n/],
  ['jpg', /^\xff\xd8\xff/],
  ['gif', /^GIF8[79]a/],
  ['webp', /^RIFF.{4}WEBP/s],
]

/** How the name of a picture ends, by what it begins with; null if it is none. */
export function pictureEnding(start: Uint8Array): string | null {
  const text = Buffer.from(start.subarray(0, 12)).toString('latin1')
  return kinds.find(([, magic]) => magic.test(text))?.[0] ?? null
}
