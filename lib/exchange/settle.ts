/** What `send` returns where nothing is to be waited for. */
export const SENT: Promise<void> = Promise.resolve()

/** A promise and its two ends. */
export interface Deferred {
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

/** A promise to settle later; nobody need listen for its rejection. */
export function deferred(): Deferred {
  let resolve!: () => void
  let reject!: (error: unknown) => void
  const promise = new Promise<void>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise
    reject = rejectPromise
  })
  promise.catch(ignore)
  return { promise, resolve, reject }
}

/** A promise that an application may leave unread: a forgotten `await` must not end the process. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore)
  return promise
}

/** A rejected promise that an application may leave unread. */
export function rejected(error: unknown): Promise<never> {
  return handled(Promise.reject(error))
}

/**
 * Whether an error says that the client has left: `ClientDisconnected`, or the AbortError that Node makes of it where
 * the disconnect signal was passed on. By its code: an application may come with a copy of tsgi of its own.
 */
export function isClientDisconnected(error: unknown): boolean {
  const { code, cause } = Object(error) as { readonly code?: unknown; readonly cause?: unknown }
  return code === 'ERR_TSGI_CLIENT_DISCONNECTED' || (code === 'ABORT_ERR' && isClientDisconnected(cause))
}

function ignore(): void {}
