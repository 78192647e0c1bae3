import { stackFromSettings, type Stack } from '../../../lib/stack/index.ts'
import type { WsgiApplication } from '../../../lib/contract/wsgi.ts'
import type { Application } from '../../../lib/index.ts'
import { ThreadPool } from '../../../lib/threads/index.ts'

export const pool: ThreadPool = new ThreadPool({ threads: 1 })

const stack: Stack = await stackFromSettings(new URL('./settings/settings.ts', import.meta.url))
export const app: Application = stack.toAsync()
export const wsgi: WsgiApplication = stack.toSync()
