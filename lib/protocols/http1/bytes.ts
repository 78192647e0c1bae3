/** Tables over bytes, shared by the parsers: 1 where the byte belongs to the class. */

function table(matches: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (matches(byte) ? 1 : 0))
}

/** tchar (RFC 9110 5.6.2): what names of fields, methods and chunk extensions are made of. */
export const TOKEN: Uint8Array = table((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)))

/** What a field value may hold (RFC 9110 5.5): HTAB, SP, VCHAR, obs-text. */
export const VALUE: Uint8Array = table((byte) => byte === 9 || (byte >= 32 && byte !== 127))

/** What a request target may hold: visible ASCII without `#`, since a fragment is never sent (RFC 9110 4.2.5). */
export const TARGET: Uint8Array = table((byte) => byte > 32 && byte < 127 && byte !== 35)

export const HTAB = 9
export const LF = 10
export const CR = 13
export const SP = 32
export const DQUOTE = 34
export const COLON = 58
export const SEMICOLON = 59
export const EQUALS = 61
export const BACKSLASH = 92
