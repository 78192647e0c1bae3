export { httpsRedirect, type HttpsRedirectOptions } from './https-redirect.ts'
export { messageLog, type MessageLogOptions } from './message-log.ts'
export { mount } from './mount.ts'
export { forwardedScope, proxyHeaders, type ProxyHeadersOptions } from './proxy-headers.ts'
