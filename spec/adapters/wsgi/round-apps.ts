/** Async applications as sync ones, for `fromWsgi` to run. */
import type { WsgiApplication } from '../../../lib/contract/wsgi.ts'
import { toWsgi } from '../../../adapters/wsgi/to-wsgi.ts'

const wrapped = (name: string): WsgiApplication => toWsgi(new URL(`./async-apps.ts#${name}`, import.meta.url))

export const scope: WsgiApplication = wrapped('scope')
export const answer: WsgiApplication = wrapped('answer')
export const echo: WsgiApplication = wrapped('echo')
export const twoParts: WsgiApplication = wrapped('twoParts')
export const silent: WsgiApplication = wrapped('silent')
export const endless: WsgiApplication = wrapped('endless')
export const failsBefore: WsgiApplication = wrapped('failsBefore')
export const failsAfter: WsgiApplication = wrapped('failsAfter')
export const callsSync: WsgiApplication = wrapped('callsSync')
/** Beneath it is a sync one. */
export const syncEcho: WsgiApplication = wrapped('syncEcho')
