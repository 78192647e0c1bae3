import type { Application } from '../contract/application.ts'
import { InvalidOption } from '../contract/errors.ts'
import type { State, WebSocketScope } from '../contract/scope.ts'
import { checkHeaders } from '../exchange/headers.ts'
import type { ExchangeObserver } from '../exchange/observer.ts'
import { forwardedScope } from '../middleware/proxy-headers.ts'
import type { Http1Owner, Http1Settings } from '../protocols/http1/settings.ts'
import type { Http2Owner, Http2Settings } from '../protocols/http2/settings.ts'
import type { UwsgiOwner, UwsgiSettings } from '../protocols/uwsgi/settings.ts'
import type { TimerWheel } from '../protocols/timer-wheel.ts'
import type { CompleteOptions } from './options.ts'

/** What the settings of all protocols share beside the options. */
export interface SharedParts {
  readonly app: Application
  readonly observer: ExchangeObserver
  readonly wheel: TimerWheel
  readonly state: State
  webSocketFailed(scope: WebSocketScope, code: number, reason: string): void
  readonly http1Owner: Http1Owner
  readonly http2Owner: Http2Owner
  readonly uwsgiOwner: UwsgiOwner
}

/** The settings of the connections of one kind of port. */
export interface PortSettings {
  readonly http1: Http1Settings
  readonly http2: Http2Settings
}

/** The settings of the connections of all kinds of ports. */
export interface AllSettings {
  /** For ports without TLS. */
  readonly http: PortSettings
  /** For those with it. */
  readonly https: PortSettings
  readonly uwsgi: UwsgiSettings
}

/** Makes the settings for all kinds of ports. */
export function portSettings(options: CompleteOptions, parts: SharedParts): AllSettings {
  const origins = options.wsOrigins.map((origin) => origin.toLowerCase())
  const { app, wheel, state, http1Owner, http2Owner } = parts
  const shared = {
    app,
    exchange: { observer: parts.observer, defaultHeaders: defaultHeaders(options), debug: false, messageQueue: noLimit(options.wsMaxQueue) },
    wheel,
    rootPath: options.rootPath,
    state,
    date: options.dateHeader,
    forwarded: options.proxyHeaders ? forwardedScope(options.forwardedAllowIps) : null,
    webSocket: {
      wheel,
      maxSize: noLimit(options.wsMaxSize),
      pingInterval: options.wsPingInterval,
      pingTimeout: options.wsPingTimeout,
      deflate: options.wsPerMessageDeflate,
      origins: origins.length === 0 ? null : new Set(origins),
      failed: parts.webSocketFailed,
    },
  }
  const http1 = {
    ...shared,
    timeouts: {
      head: options.timeoutHead,
      body: options.timeoutBody,
      send: options.timeoutSend,
      keepAlive: options.timeoutKeepAlive,
      halfClose: options.timeoutHalfClose,
    },
    parsers: [],
    head: { head: noLimit(options.limitHead), requestLine: noLimit(options.limitRequestLine), fields: noLimit(options.limitHeaders) },
    chunked: { trailers: noLimit(options.limitTrailers), fields: noLimit(options.limitHeaders) },
    requests: noLimit(options.limitRequests),
  }
  const http2 = {
    ...shared,
    timeouts: { body: options.timeoutBody, send: options.timeoutSend },
    idleTimeout: options.h2IdleTimeout,
    maxStreams: options.h2MaxStreams,
    maxHeaderList: options.h2MaxHeaderList,
    maxResets: options.h2MaxResets,
    fields: noLimit(options.limitHeaders),
    target: noLimit(options.limitRequestLine),
    trailers: noLimit(options.limitTrailers),
    owner: http2Owner,
  }
  const { webSocket: _, ...sharedHttp } = shared
  const uwsgi = {
    ...sharedHttp,
    timeouts: { head: options.timeoutHead, body: options.timeoutBody, send: options.timeoutSend, halfClose: options.timeoutHalfClose },
    // The target comes twice: as REQUEST_URI, and as PATH_INFO with QUERY_STRING.
    packet: noLimit(options.limitHead) + noLimit(options.limitRequestLine),
    limits: { target: noLimit(options.limitRequestLine), fields: noLimit(options.limitHeaders) },
    owner: parts.uwsgiOwner,
  }
  return {
    http: { http1: { ...http1, scheme: 'http', owner: http1Owner }, http2: { ...http2, scheme: 'http' } },
    // ALPN says which protocol it is (RFC 9113 3.2): nobody need guess. A parser knows its scheme, so each has its own.
    https: { http1: { ...http1, parsers: [], scheme: 'https', owner: { ...http1Owner, http2: null } }, http2: { ...http2, scheme: 'https' } },
    uwsgi,
  }
}

/** The fields for every response, names and values in turn. Throws `InvalidOption`. */
export function defaultHeaders({ header, serverHeader }: CompleteOptions): string[] {
  const flat = header.flatMap((line) => {
    const colon = line.indexOf(':')
    if (colon < 1) throw new InvalidOption('header', 'of the form Name: value', line)
    return checked('header', 'a valid header field', line, [line.slice(0, colon), line.slice(colon + 1)])
  })
  if (serverHeader !== undefined) flat.push(...checked('serverHeader', 'a valid field value', serverHeader, ['server', serverHeader]))
  return flat
}

function noLimit(limit: number): number {
  return limit === 0 ? Infinity : limit
}

/** A field as the wire has it; throws `InvalidOption` in the name of the option that gave it. */
function checked(option: string, expected: string, found: string, pair: [string, string]): string[] {
  try {
    return checkHeaders('header', [pair]).flat
  } catch {
    throw new InvalidOption(option, expected, found)
  }
}
