/** Checks what a visitor writes. */
import type { Words } from './entries.ts'
import type { Fields } from './request.ts'

/** The most characters of each field. */
export const LIMITS: { readonly [Key in keyof Words]: number } = { name: 60, place: 60, message: 2000 }

/** What is wrong, by field. */
export type Troubles = ReadonlyMap<keyof Words, string>

/** The fields of the form, without what is invisible. */
export function wordsOf(form: Fields): Words {
  const line = (name: string): string => (form.get(name) ?? '').replace(/[\p{Cc}\s]+/gu, ' ').trim()
  const message = (form.get('message') ?? '').replaceAll('\r\n', '\n').replace(/[^\P{Cc}\n\t]/gu, '').replace(/\n{3,}/g, '\n\n').trim()
  return { name: line('name'), place: line('place'), message }
}

export function troublesOf(words: Words): Troubles {
  const troubles = new Map<keyof Words, string>()
  if (words.name === '') troubles.set('name', 'Please tell your name.')
  if (words.message === '') troubles.set('message', 'Please write a few words.')
  for (const key of ['name', 'place', 'message'] as const) {
    const length = [...words[key]].length
    if (length > LIMITS[key]) troubles.set(key, `This has ${length} characters, and ${LIMITS[key]} is the most.`)
  }
  return troubles
}
