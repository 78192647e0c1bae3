import { NotCloneable, WouldDeadlock } from '../contract/errors.ts'
import { asyncToSync, syncToAsync, type ThreadPool } from '../threads/index.ts'
import type { ActiveRequest } from './active.ts'
import { findLiveOf, liveOf, removeLive, type LiveRequest } from './live.ts'
import type { StackName } from './loaded.ts'
import { packCall, unpackAnswer } from './pack.ts'
import type { PackedAnswer, PackedCall } from './packed.ts'
import { fromLoop, fromThread } from './remote.ts'
import type { Answer, Target } from './target.ts'

type Enter = (call: PackedCall) => Promise<PackedAnswer>

const onLoop = (name: string): URL => new URL(`./on-loop.js#${name}`, import.meta.url)
const answerOnLoop = asyncToSync<(call: PackedCall) => Promise<PackedAnswer>>(onLoop('answer'))
const releaseOnLoop = asyncToSync<(id: string) => Promise<void>>(onLoop('release'))

/** What enters a stack on a thread, by the stack's module; the thread loads that first. */
const entries = new Map<string, WeakMap<object, Enter>>()
const sharedPoolKey = {}

/** Has a thread carry a target out: the one that is parked for this request, if there is one. */
export async function toThread(active: ActiveRequest, target: Target): Promise<Answer> {
  const live = liveOf(active)
  const enter = entryOf(active)
  let packed: PackedAnswer
  try {
    const call = packCall(live, target)
    const link = live.links.at(-1)
    packed = await (link === undefined ? enterFirst(live, enter, call) : link(() => enter(call)))
  } catch (error) {
    throw named(live, error)
  }
  return unpackAnswer(live, packed, fromThread)
}

/** A thread that has a response which is still needed stays parked, and answers before its call ends. */
function enterFirst(live: LiveRequest, enter: Enter, call: PackedCall): Promise<PackedAnswer> {
  return new Promise((resolve, reject) => {
    live.attended = resolve
    const entered = enter(call)
    live.calls.add(entered)
    entered.then(resolve, reject).finally(() => live.calls.delete(entered))
  })
}

/** Has the event loop carry a target out, and blocks until it has. */
export function toLoop(active: ActiveRequest, target: Target): Answer {
  const live = liveOf(active)
  let packed: PackedAnswer
  try {
    packed = answerOnLoop(packCall(live, target))
  } catch (error) {
    // It may have answered, and the answer not have come; on the loop itself nothing was asked.
    live.keptThere ||= !(error instanceof WouldDeadlock)
    throw named(live, error)
  }
  live.keptThere ||= packed.holds
  return unpackAnswer(live, packed, fromLoop)
}

/** The request is over on its own side, where async code made it: resolves when the threads have left it too. */
export async function endedOnLoop(active: ActiveRequest): Promise<void> {
  const live = findLiveOf(active)
  if (live === null) return
  removeLive(live)
  if (live.calls.size > 0) await Promise.allSettled(live.calls)
}

/** The same where sync code made it. */
export function endedOnThread(active: ActiveRequest): void {
  const live = findLiveOf(active)
  if (live === null) return
  removeLive(live)
  if (live.keptThere) releaseOnLoop(live.id)
}

function entryOf({ stack, plan }: ActiveRequest): Enter {
  // Where the thread is home, it has the stack's module.
  const url = plan.home === 'sync' || stack.name === null ? new URL('./on-thread.js#enter', import.meta.url) : withModule(stack.name)
  let byPool = entries.get(url.href)
  if (byPool === undefined) entries.set(url.href, byPool = new WeakMap())
  const key: ThreadPool | object = stack.pool ?? sharedPoolKey
  let enter = byPool.get(key)
  if (enter === undefined) byPool.set(key, enter = syncToAsync<(call: PackedCall) => PackedAnswer>(url, { pool: stack.pool }) as Enter)
  return enter
}

function withModule({ href, settings }: StackName): URL {
  const url = new URL('./thread-entry.js#enter', import.meta.url)
  url.searchParams.set(settings ? 'settings' : 'module', href)
  return url
}

/** Errors of cloning name the request's state as layers know it. */
function named(live: LiveRequest, error: unknown): unknown {
  if (!(error instanceof NotCloneable)) return error
  const { path } = error
  const own = path.replace(/^.*\bsaid\.state/, 'request.state').replace(/^.*\bresponse\.context/, 'response.context')
  if (own === path) return error
  // The response that this turns into must get past the same state.
  if (own.startsWith('request.state')) live.spoilt = true
  const renamed = new NotCloneable(own, undefined, { cause: error })
  renamed.message = error.message.replace(path, own)
  return renamed
}
