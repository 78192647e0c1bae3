/** Passwords are kept as hashes that are slow to make, by calls that block: all who call this run on threads. */
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'

const COST = { N: 2 ** 14, r: 8, p: 1 }

/** A hash with its salt. */
export function hashPassword(password: string): string {
  const salt = randomBytes(16)
  return `${salt.toString('hex')}:${scryptSync(password.normalize(), salt, 32, COST).toString('hex')}`
}

/** Whether a hash is of this password. */
export function isPassword(password: string, hash: string): boolean {
  const [salt = '', key = ''] = hash.split(':')
  return timingSafeEqual(scryptSync(password.normalize(), Buffer.from(salt, 'hex'), 32, COST), Buffer.from(key, 'hex'))
}
