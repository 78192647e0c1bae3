/** What a thread loads for a stack: first its module, or its settings, named in the query of this one's URL. */
import { loadStack } from './registry.ts'

const { searchParams } = new URL(import.meta.url)
const settings = searchParams.get('settings')
await loadStack({ href: settings ?? searchParams.get('module') ?? '', export: '', settings: settings !== null })

export { enter } from './on-thread.ts'
