import type { HttpResponse, TemplateResponse } from './response.ts'

/** A part of a stack that can be carried out by itself, in its own mode: what crosses to the other one. */
export type Target =
  /** The layers from this one on, and the view. */
  | { readonly type: 'layers'; readonly from: number }
  | { readonly type: 'view' }
  | { readonly type: 'processView'; readonly layer: number }
  | { readonly type: 'processTemplateResponse'; readonly layer: number; readonly response: TemplateResponse }
  | { readonly type: 'processException'; readonly layer: number; readonly error: unknown }

/** What carrying out a target gives: a response, or none from a hook that lets the request go on. */
export type Answer = HttpResponse | undefined
