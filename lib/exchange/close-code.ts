/** The close codes that a frame may carry (RFC 6455 7.4, and the registry that it opened: 1012 to 1014). */
export function isCloseCode(code: number): boolean {
  return Number.isInteger(code) && ((code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999))
}

/** Bytes of UTF-8 that fit beside the code into a close frame (RFC 6455 5.5). */
export const CLOSE_REASON_LIMIT = 123

/** The code of a close frame that has none (RFC 6455 7.4.1); never sent. */
export const NO_CODE = 1005
/** The code of a WebSocket that ended without a close frame (RFC 6455 7.4.1); never sent. */
export const ABNORMAL = 1006
