import { readFileSync } from 'node:fs'
import type { Contestant } from './workload.ts'

const root = new URL('../../../', import.meta.url)

/** The version of a contestant's package; null for a part of Node. */
export function versionOf(contestant: Contestant): string | null {
  if (contestant.version !== undefined) return contestant.version
  if (contestant.package === undefined) return null
  const folder = contestant.package === 'tsgi' ? '' : `node_modules/${contestant.package}/`
  const { version } = JSON.parse(readFileSync(new URL(`${folder}package.json`, root), 'utf8')) as { version: string }
  return version
}
