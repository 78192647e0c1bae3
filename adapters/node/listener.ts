import { Server as HttpServer } from 'node:http'
import type { NodeListener } from './node-exchange.ts'

/** What `fromNode` makes of an application. */
export interface ListenerSource {
  readonly listener: NodeListener
  /** The server that the listener belongs to, if it was given as one: `upgrade` and `checkContinue` go to it. */
  readonly server: HttpServer | null
  /** To be awaited before the first request; null if there is nothing of the kind. */
  readonly ready: (() => PromiseLike<unknown>) | null
  /** To be called when the server has stopped; null if there is nothing of the kind. */
  readonly close: (() => unknown) | null
}

/** Parts by which frameworks are known. */
interface Framework {
  readonly handle?: unknown
  readonly handler?: unknown
  readonly callback?: unknown
  readonly routing?: unknown
  readonly ready?: unknown
  readonly close?: unknown
  readonly listener?: unknown
}

/**
 * The listener of an application of Express or Connect (a function with `.handle`), Koa (`.callback()`), Fastify
 * (`.routing`), Polka (`.handler`), Hapi (`.listener`), or of an `http.Server`; null for anything else, bare functions
 * as well, since they do not show what they are.
 */
export function nodeListener(value: unknown): NodeListener | null {
  return listenerSource(value)?.listener ?? null
}

/** The same with what belongs to it. */
export function listenerSource(value: unknown): ListenerSource | null {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return null
  if (value instanceof HttpServer) return sourceOf((request, response) => value.emit('request', request, response), value)
  const { handle, handler, callback, routing, ready, close, listener } = value as Framework
  if (typeof value === 'function') return typeof handle === 'function' ? sourceOf(value as NodeListener) : null
  if (typeof routing === 'function') {
    // Fastify routes nothing before its plugins are loaded.
    const begin = typeof ready === 'function' ? async (): Promise<unknown> => ready.call(value) as unknown : null
    return { ...sourceOf((request, response) => routing.call(value, request, response) as unknown), ready: begin, close: typeof close === 'function' ? () => close.call(value) as unknown : null }
  }
  if (typeof callback === 'function') return sourceOf(callback.call(value) as NodeListener)
  if (typeof handler === 'function') return sourceOf((request, response) => handler.call(value, request, response) as unknown)
  return listener instanceof HttpServer ? listenerSource(listener) : null
}

/** A bare listener. */
export function sourceOf(listener: NodeListener, server: HttpServer | null = null): ListenerSource {
  return { listener, server, ready: null, close: server === null ? null : () => server.emit('close') }
}
