import type { WsgiApplication } from 'tsgi/adapters/wsgi'
import { stackFromSettings } from 'tsgi/stack'

const site: WsgiApplication = (await stackFromSettings(new URL('./settings.js', import.meta.url))).toSync()

export default site
