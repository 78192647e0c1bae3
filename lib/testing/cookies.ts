interface Cookie {
  readonly value: string
  readonly path: string
  /** Milliseconds since 1970; Infinity for a session cookie. */
  readonly expires: number
}

/** The cookies of a test client: what responses set goes out with later requests (RFC 6265, one host). */
export class CookieJar implements Iterable<readonly [name: string, value: string]> {
  readonly #cookies = new Map<string, Cookie>()

  /** The value of a cookie, `undefined` if there is none. */
  get(name: string): string | undefined {
    return [...this].find(([each]) => each === name)?.[1]
  }

  /** Sets a cookie, for the whole host unless `path` says otherwise. */
  set(name: string, value: string, path = '/'): void {
    this.#cookies.set(`${name};${path}`, { value, path, expires: Infinity })
  }

  /** Forgets all cookies. */
  clear(): void {
    this.#cookies.clear()
  }

  /** Takes in one `set-cookie` field of the response to a request for `path`. */
  store(field: string, path: string): void {
    const [pair = '', ...attributes] = field.split(';').map((part) => part.trim())
    const equals = pair.indexOf('=')
    if (equals < 1) return
    const name = pair.slice(0, equals)
    let cookiePath = path.slice(0, Math.max(1, path.lastIndexOf('/')))
    let expires = Infinity
    let maxAge: number | undefined
    for (const attribute of attributes) {
      const [key = '', value = ''] = attribute.split('=', 2)
      switch (key.toLowerCase()) {
        case 'path':
          if (value.startsWith('/')) cookiePath = value
          break
        case 'max-age':
          if (/^-?[0-9]+$/.test(value)) maxAge = Number(value)
          break
        case 'expires':
          if (!Number.isNaN(Date.parse(value))) expires = Date.parse(value)
          break
      }
    }
    // RFC 6265 5.3: Max-Age wins over Expires.
    if (maxAge !== undefined) expires = maxAge <= 0 ? 0 : Date.now() + maxAge * 1000
    const key = `${name};${cookiePath}`
    if (expires <= Date.now()) this.#cookies.delete(key)
    else this.#cookies.set(key, { value: pair.slice(equals + 1), path: cookiePath, expires })
  }

  /** The `cookie` field for a request for `path`; empty if no cookie matches. */
  header(path: string): string {
    return this.#matching(path).map(([name, value]) => `${name}=${value}`).join('; ')
  }

  [Symbol.iterator](): Iterator<readonly [name: string, value: string]> {
    return this.#matching(null)[Symbol.iterator]()
  }

  #matching(path: string | null): (readonly [name: string, value: string])[] {
    const now = Date.now()
    const found: (readonly [string, string])[] = []
    for (const [key, cookie] of this.#cookies) {
      if (cookie.expires <= now || (path !== null && !pathMatches(path, cookie.path))) continue
      found.push([key.slice(0, key.indexOf(';')), cookie.value])
    }
    return found
  }
}

/** RFC 6265 5.1.4. */
function pathMatches(path: string, cookiePath: string): boolean {
  return path === cookiePath || (path.startsWith(cookiePath) && (cookiePath.endsWith('/') || path[cookiePath.length] === '/'))
}
