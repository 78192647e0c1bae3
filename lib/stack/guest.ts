import { InvalidStack } from '../contract/errors.ts'
import { ActiveRequest } from './active.ts'
import type { BodySource } from './body.ts'
import { addLive, type LiveRequest } from './live.ts'
import type { PackedCall } from './packed.ts'
import { stackOf } from './registry.ts'
import { RequestCore } from './request-core.ts'
import { requestFields } from './request-head.ts'
import { waysOf } from './ways.ts'

/** Opens a request that came from the other side. Throws `InvalidStack`. */
export function openGuest(call: PackedCall, source: BodySource, signal?: () => AbortSignal): LiveRequest {
  const stack = stackOf(call.name)
  if (stack.layers.length !== call.layers) throw new InvalidStack(`${call.name.href}: the stack has ${stack.layers.length} layers on this thread and ${call.layers} on the other: what its factories decide must not differ between threads`)
  const core = new RequestCore(requestFields(call.head), source, { limits: stack.limits, signal })
  const active = new ActiveRequest(stack, stack.plan(call.home), core, waysOf(stack))
  return addLive(call.id, active, true)
}
