import { InvalidEvent } from '../contract/errors.ts'
import type { UpgradeEvent } from '../contract/events.ts'
import type { Extensions } from '../contract/scope.ts'

/** Checks `tsgi.upgrade`; throws `InvalidEvent`, also where the extension is not offered. */
export function checkUpgrade(event: UpgradeEvent, extensions: Extensions): void {
  if (extensions['tsgi.upgrade'] === undefined) throw new InvalidEvent('send', 'type', 'an extension that is in scope.extensions', event.type)
  if (typeof event.take !== 'function') throw new InvalidEvent(event.type, 'take', 'a function', event.take)
}
