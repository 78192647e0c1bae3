/**
 * The site in async mode: an application of tsgi.
 *
 *     npx tsgi playground/site/async.ts
 */
import type { Application } from 'tsgi'
import { stackFromSettings } from 'tsgi/stack'

const stack = await stackFromSettings(new URL('./settings.js', import.meta.url))

const site: Application = stack.toAsync()

export default site
