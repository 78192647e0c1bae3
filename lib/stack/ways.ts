import { InvalidStack } from '../contract/errors.ts'
import type { Ways } from './active.ts'
import { runAsync } from './effects.ts'
import type { LoadedStack } from './loaded.ts'
import { performAsync, performSync } from './perform.ts'
import { endedOnLoop, endedOnThread, toLoop, toThread } from './crossing.ts'

/** Without a module there are no threads: what blocks runs inline, once the body is there that it may read. */
const inline: Ways = {
  hereSync: performSync,
  hereAsync: performAsync,
  async toThread(active, target) {
    const { core } = active
    if (core.cachedBytes === null && core.cachedForm === null) {
      try {
        await (core.mediaType?.type === 'multipart/form-data' ? runAsync(core.form()) : runAsync(core.bytes()))
      } catch {
        // Who reads it gets the same error.
      }
    }
    return performSync(active, target)
  },
  toLoop() {
    throw new InvalidStack('async code is called by code that blocks the event loop; give the stack its module')
  },
  async endedAsync() {},
  endedSync() {},
}

/** With one, threads and the event loop have a copy of the stack each. */
const threads: Ways = { hereSync: performSync, hereAsync: performAsync, toThread, toLoop, endedAsync: endedOnLoop, endedSync: endedOnThread }

export function waysOf(stack: LoadedStack): Ways {
  return stack.name === null ? inline : threads
}
