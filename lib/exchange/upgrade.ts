import { InvalidEvent } from '../contract/errors.ts'
import type { UpgradeEvent } from '../contract/events.ts'
import type { Extensions } from '../contract/scope.ts'
import { checkOffered } from './extensions.ts'

/** Checks `tsgi.upgrade`; throws `InvalidEvent`, also where the extension is not offered. */
export function checkUpgrade(event: UpgradeEvent, extensions: Extensions): void {
  checkOffered(event.type, extensions)
  if (typeof event.take !== 'function') throw new InvalidEvent(event.type, 'take', 'a function', event.take)
}
