import type { Application } from 'tsgi'
import { stackFromSettings } from 'tsgi/stack'

const site: Application = (await stackFromSettings(new URL('./settings.js', import.meta.url))).toAsync()

export default site
