import { InvalidOption } from '../contract/errors.ts'

/** How much of a request's body is taken; sizes in bytes, 0 is no limit. More than that is `TooLarge`: 413. */
export interface RequestLimits {
  /** Of a body that is read whole: bytes, text, JSON and simple forms; of the names and text fields of a multipart form together. */
  readonly bodySize: number
  /** How many text fields a form may have. */
  readonly formFields: number
  /** How many files a form may have. */
  readonly formFiles: number
  /** Of one text field. */
  readonly fieldSize: number
  /** Of one file. */
  readonly fileSize: number
  /** What the files of a form may take in memory, together; those that do not fit are kept on disk. 0 keeps all on disk. */
  readonly fileMemory: number
  /** Of the header fields of one part of a multipart form. */
  readonly partHeaders: number
  /** Where files are kept on disk; empty for the system's folder of temporary files. */
  readonly tempFolder: string
}

/** The limits where none are given. */
export const defaultLimits: RequestLimits = Object.freeze({
  bodySize: 2_621_440,
  formFields: 1000,
  formFiles: 100,
  fieldSize: 1_048_576,
  fileSize: 0,
  fileMemory: 2_621_440,
  partHeaders: 16_384,
  tempFolder: '',
})

/** Fills in the limits that are not given. Throws `InvalidOption`. */
export function requestLimits(given: Partial<RequestLimits> | undefined): RequestLimits {
  if (given === undefined || given === defaultLimits) return defaultLimits
  const limits: Record<string, unknown> = { ...defaultLimits }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (name === 'tempFolder') {
      if (typeof value !== 'string') throw new InvalidOption('tempFolder', 'a path', value)
    } else if (!Number.isSafeInteger(value) || Number(value) < 0) {
      throw new InvalidOption(name, 'a whole number, 0 or more', value)
    }
    limits[name] = value
  }
  return Object.freeze(limits) as unknown as RequestLimits
}

/** Whether a size or a count is over a limit, of which 0 is none. */
export function isOver(value: number, limit: number): boolean {
  return limit > 0 && value > limit
}
