import type { StackName } from './loaded.ts'
import type { FormParts } from './form.ts'
import type { RequestHead } from './request-head.ts'
import type { Mode, Params } from './route.ts'

/** What layers have said of a request; it crosses both ways. */
export interface PackedState {
  readonly state: Record<string, unknown>
  readonly params: Params
  readonly route: number
  /** Where layers and the view have run; null unless the stack is in debug mode. */
  readonly ranOn: readonly (string | undefined)[] | null
  /** The form, if it has been read. */
  readonly form: FormParts | null
  /** The body, if the other side has read it whole: who has the request itself cannot read it again. */
  readonly bytes: Uint8Array | null
  /** Whether this side has the whole body. */
  readonly hasBytes: boolean
  /** How much of the body this side has read, and how much of it layers let be read; 0 is no limit. */
  readonly bodyTaken: number
  readonly bodyLimit: number
}

/** A target as it crosses. */
export type PackedTarget =
  | { readonly type: 'layers'; readonly from: number }
  | { readonly type: 'view' }
  | { readonly type: 'processView'; readonly layer: number }
  | { readonly type: 'processTemplateResponse'; readonly layer: number; readonly response: PackedResponse }
  | { readonly type: 'processException'; readonly layer: number; readonly error: unknown }

/** A call to the other side. */
export interface PackedCall {
  readonly id: string
  readonly name: StackName
  readonly home: Mode
  /** How many layers the stack has: both sides must have made the same. */
  readonly layers: number
  readonly head: RequestHead
  readonly said: PackedState
  readonly target: PackedTarget
}

export interface PackedAnswer {
  readonly said: PackedState
  readonly response: PackedResponse | null
  /** What was thrown in place of an answer; what layers have said before that counts. */
  readonly thrown: { readonly error: unknown } | null
  /** Whether responses stay there, so that there must be told when the request is over. */
  readonly holds: boolean
}

/** A response as it crosses: bytes go along, what cannot be cloned stays where it is and has a number there. */
export interface PackedResponse {
  readonly status: number
  /** Names and values in turn. */
  readonly headers: readonly string[]
  /** Null where it streams, or is yet to be rendered. */
  readonly content: Uint8Array | null
  /** Where the response itself is, if it stays there: the side from which it is sent (`here`), or to which. */
  readonly kept: { readonly side: 'here' | 'there'; readonly number: number } | null
  /** What a response that is yet to be rendered is made of. */
  readonly context: unknown
  readonly kind: 'content' | 'stream' | 'template'
  readonly logged: boolean
}
