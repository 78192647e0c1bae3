/** Sessions: a cookie with a secret, and all else in the database, so that any thread can answer the next request. */
import { createHash, randomBytes } from 'node:crypto'
import { database } from './database.ts'

const HOURS = 12

interface Row {
  readonly id: string
  readonly csrf: string
  readonly owner: number
  readonly flash: string | null
}

/** What is remembered of a visitor. It starts when there is something to remember: who only reads gets no cookie. */
export class Session {
  /** What the response is to set. */
  readonly cookies: string[] = []
  readonly #attributes: string
  #row: Row | null

  /** The session whose secret a cookie has; `attributes` are those of cookies. */
  constructor(secret: string | null, attributes: string) {
    this.#attributes = attributes
    this.#row = secret === null ? null : database().get<Row>('SELECT id, csrf, owner, flash FROM sessions WHERE id = ? AND expires > ?', digest(secret), Date.now())
  }

  /** Names the session; it is no secret. Null until it has started. */
  get id(): string | null {
    return this.#row?.id ?? null
  }

  /** Whether this is the owner of the book. */
  get isOwner(): boolean {
    return this.#row?.owner === 1
  }

  /** What a form must repeat, to show that it comes from one of these pages. */
  get csrf(): string {
    return this.#started().csrf
  }

  /** Whether a form did. */
  allows(csrf: string | undefined): boolean {
    return csrf !== undefined && this.#row !== null && digest(csrf) === digest(this.#row.csrf)
  }

  /** Keeps a line for the next page. */
  flash(text: string): void {
    database().run('UPDATE sessions SET flash = ? WHERE id = ?', text, this.#started().id)
  }

  /** Takes that line. */
  takeFlash(): string | null {
    if (this.#row === null || this.#row.flash === null) return null
    database().run('UPDATE sessions SET flash = NULL WHERE id = ?', this.#row.id)
    return this.#row.flash
  }

  /** The owner gets a session of a new name: a secret from before may be known to somebody else. The visitor's entries go with it. */
  logIn(): void {
    const { id: before } = this.#started()
    const { id } = this.#start(true)
    database().run('UPDATE entries SET session = ? WHERE session = ?', id, before)
    database().run('DELETE FROM sessions WHERE id = ?', before)
  }

  /** Forgets all. */
  end(): void {
    if (this.#row !== null) database().run('DELETE FROM sessions WHERE id = ?', this.#row.id)
    this.#row = null
  }

  #started(): Row {
    return this.#row ?? this.#start(false)
  }

  #start(owner: boolean): Row {
    const secret = randomBytes(24).toString('base64url')
    const row = { id: digest(secret), csrf: randomBytes(24).toString('base64url'), owner: Number(owner), flash: null }
    database().run('DELETE FROM sessions WHERE expires < ?', Date.now())
    database().run('INSERT INTO sessions (id, csrf, owner, expires) VALUES (?, ?, ?, ?)', row.id, row.csrf, row.owner, Date.now() + HOURS * 3600_000)
    this.cookies.splice(0, Infinity, `guestbook=${secret}; ${this.#attributes}`)
    return this.#row = row
  }
}

/** Who reads the database cannot take over a session; and what has two digests compared tells nothing by its time. */
function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
