/** RFC 9110 8.8.3. */
const TAG = /[ \t,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")(?=[ \t]*(?:,|$))/y

/** Reads `if-match` or `if-none-match`, its lines joined: `*`, or its tags up to what is malformed. */
export function parseTags(list: string): '*' | readonly string[] {
  const field = list.trim()
  if (field === '*') return '*'
  const tags: string[] = []
  TAG.lastIndex = 0
  for (let found = TAG.exec(field); found !== null; found = TAG.exec(field)) tags.push(found[1] ?? '')
  return tags
}

/** Whether a tag stands for the same bytes, and not only for the same meaning. */
export function isStrong(tag: string): boolean {
  return !tag.startsWith('W/')
}

/** The same tag as a weak one. */
export function weakened(tag: string): string {
  return isStrong(tag) ? `W/${tag}` : tag
}

/** Whether two tags are the same by the strong comparison: two weak ones never are (RFC 9110 8.8.3.2). */
export function stronglySame(one: string, other: string): boolean {
  return one === other && isStrong(one)
}

/** Whether they are by the weak comparison. */
export function weaklySame(one: string, other: string): boolean {
  return weakened(one) === weakened(other)
}
