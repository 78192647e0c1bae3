/** Who asks, and what the session keeps for them. */
import type { HttpRequest } from 'tsgi/stack'
import { session } from 'tsgi/stack/middleware'
import type { User } from './users.ts'

/** The member who asks; null for a guest. The layer `visitor` has looked it up. */
export function userOf(request: HttpRequest): User | null {
  return (request.state['user'] as User | undefined) ?? null
}

/** Has the session be this member's. It gets a new name: somebody else may know the old one. */
export function logIn(request: HttpRequest, user: User): void {
  session(request).renew()
  session(request).set('user', user.id)
  request.state['user'] = user
}

/** Forgets the session. */
export function logOut(request: HttpRequest): void {
  session(request).clear()
  delete request.state['user']
}

/** Keeps a line for the next page. */
export function flash(request: HttpRequest, text: string): void {
  session(request).set('flash', text)
}

/** Takes that line. */
export function takeFlash(request: HttpRequest): string | null {
  const kept = session(request)
  const text = kept.get('flash')
  if (typeof text !== 'string') return null
  kept.delete('flash')
  return text
}
