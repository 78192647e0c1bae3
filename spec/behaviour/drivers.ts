/** The ways to call an application that the behaviour suite runs over. */
import { http1, http1Tls } from './driver-http1.ts'
import { http2, http2Tls } from './driver-http2.ts'
import { inProcess } from './driver-in-process.ts'
import type { Protocol } from './driver.ts'

export type * from './driver.ts'

/** Every protocol that there is; later ones join here. */
export const protocols: readonly Protocol[] = [inProcess, http1, http1Tls, http2, http2Tls]
/** Those that have WebSockets. */
export const webSocketProtocols: readonly Protocol[] = protocols.filter(({ hasWebSockets }) => hasWebSockets)
