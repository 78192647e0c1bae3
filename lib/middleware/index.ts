export { forwardedScope, proxyHeaders, type ProxyHeadersOptions } from './proxy-headers.ts'
