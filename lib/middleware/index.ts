export { mount } from './mount.ts'
export { forwardedScope, proxyHeaders, type ProxyHeadersOptions } from './proxy-headers.ts'
