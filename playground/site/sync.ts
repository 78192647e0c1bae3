/**
 * The same site in sync mode: a WSGI-style callable, which any number of threads have.
 *
 *     npx tsgi playground/site/sync.ts --interface wsgi --threads 2
 */
import type { WsgiApplication } from 'tsgi/adapters/wsgi'
import { stackFromSettings } from 'tsgi/stack'

const stack = await stackFromSettings(new URL('./settings.js', import.meta.url))

const site: WsgiApplication = stack.toSync()

export default site
