/** The members. All of it blocks. */
import { database } from './database.ts'
import { isPassword } from './passwords.ts'

export interface User {
  readonly id: number
  readonly name: string
}

export function findUser(id: number): User | null {
  return database().get<User>('SELECT id, name FROM users WHERE id = ?', id)
}

/** The member of this name, if that is the password. It takes as long for a name that nobody has. */
export function checkUser(name: string, password: string): User | null {
  const found = database().get<User & { readonly hash: string }>('SELECT * FROM users WHERE name = ?', name.trim().toLowerCase())
  const right = isPassword(password, found?.hash ?? NOBODY)
  return found !== null && right ? { id: found.id, name: found.name } : null
}

const NOBODY = `${'00'.repeat(16)}:${'00'.repeat(32)}`
