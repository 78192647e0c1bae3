import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidOption } from '../contract/errors.ts'
import type { HeadersInput } from '../contract/headers.ts'
import type { Coding } from '../semantics/codings.ts'

/** A file that is about to be sent. */
export interface StaticFile {
  /** Beneath the root, with slashes: `css/site.css`; of a folder, that of its index. */
  readonly path: string
  /** In bytes, in its coding. */
  readonly size: number
  readonly modified: Date
  readonly contentType: string
  /** The coding of the sibling that was chosen; null for the file itself. */
  readonly encoding: Coding | null
}

/** What `staticFiles` may be told. */
export interface StaticFilesOptions {
  /** The folder: a path, taken from the working directory, or a file URL. */
  readonly root: string | URL
  /** What answers for a folder: the first of these that is in it. Empty: folders are not found. Default: `index.html`. */
  readonly index?: readonly string[] | undefined
  /** Whether names that begin with a dot are found. Default: false. */
  readonly dotfiles?: boolean | undefined
  /** The codings in which files may lie beside the plain ones (`.br`, `.zst`, `.gz`), the preferred one first. Default: all three. */
  readonly encodings?: readonly Coding[] | undefined
  /** Media types by the end of a name (`html`), in place of the known ones; `''` is for names without. Default: none. */
  readonly types?: Readonly<Record<string, string>> | undefined
  /** How long a copy may be used without asking, in seconds. Default: 0, which asks each time (`no-cache`). */
  readonly maxAge?: number | undefined
  /** Whether a file never changes while it may be used without asking. Default: false. */
  readonly immutable?: boolean | undefined
  /** The whole Cache-Control field, in place of the two before; null for none. */
  readonly cacheControl?: string | null | undefined
  /** Whether to tell, and to compare, entity tags. Default: true. */
  readonly etag?: boolean | undefined
  /** Whether to tell, and to compare, the time of the last change. Default: true. */
  readonly lastModified?: boolean | undefined
  /** Whether browsers are told to believe the content type (`x-content-type-options: nosniff`). Default: true. */
  readonly nosniff?: boolean | undefined
  /**
   * Gives further fields for a file; they replace those of the same name, but `vary` is added to. Those that describe the
   * bytes that are sent (`content-length`, `etag`, …) may not be among them: that is an `InvalidOption`. Default: none.
   */
  readonly headers?: ((file: StaticFile) => HeadersInput) | undefined
}

/** The options, checked. */
export interface StaticSettings {
  readonly root: string
  readonly index: readonly string[]
  readonly dotfiles: boolean
  readonly encodings: readonly Coding[]
  readonly types: ReadonlyMap<string, string>
  readonly cacheControl: string | null
  readonly etag: boolean
  readonly lastModified: boolean
  readonly nosniff: boolean
  readonly headers: ((file: StaticFile) => HeadersInput) | null
}

/** What is appended to a file's name for each coding. */
export const endings: Readonly<Record<Coding, string>> = { br: '.br', zstd: '.zst', gzip: '.gz' }

const TYPE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*(?:;[\t\x20-\x7e]*)?$/

/** Checks the options; throws `InvalidOption`. */
export function readStaticOptions(options: StaticFilesOptions): StaticSettings {
  const { index = ['index.html'], encodings = ['br', 'zstd', 'gzip'], headers } = options
  if (!Array.isArray(index) || !index.every((name) => typeof name === 'string' && /^[^\0/\\]+$/.test(name) && !/^\.{1,2}$/.test(name))) {
    throw new InvalidOption('index', 'a list of names of files', index)
  }
  if (!Array.isArray(encodings) || !encodings.every((coding) => Object.hasOwn(endings, coding))) {
    throw new InvalidOption('encodings', `a list of ${Object.keys(endings).join(', ')}`, encodings)
  }
  if (headers !== undefined && typeof headers !== 'function') throw new InvalidOption('headers', 'a function', headers)
  return {
    root: rootOf(options.root),
    index,
    dotfiles: switchOf('dotfiles', options.dotfiles, false),
    encodings,
    types: typesOf(options.types ?? {}),
    cacheControl: cacheControlOf(options),
    etag: switchOf('etag', options.etag, true),
    lastModified: switchOf('lastModified', options.lastModified, true),
    nosniff: switchOf('nosniff', options.nosniff, true),
    headers: headers ?? null,
  }
}

function rootOf(root: unknown): string {
  const expected = 'an existing folder: its path or its file URL'
  if (!(root instanceof URL ? root.protocol === 'file:' : typeof root === 'string' && root !== '')) throw new InvalidOption('root', expected, root)
  let path: string
  let isFolder: boolean | undefined
  try {
    path = root instanceof URL ? fileURLToPath(root) : resolve(root as string)
    isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory()
  } catch {
    throw new InvalidOption('root', expected, String(root))
  }
  if (isFolder !== true) throw new InvalidOption('root', expected, path)
  return path
}

function switchOf(option: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault
  if (typeof value !== 'boolean') throw new InvalidOption(option, 'a boolean', value)
  return value
}

function typesOf(types: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(types).map(([end, type]) => {
    if (typeof type !== 'string' || !TYPE.test(type)) throw new InvalidOption(`types[${JSON.stringify(end)}]`, 'a media type', type)
    return [end.replace(/^\./, '').toLowerCase(), type] as const
  }))
}

function cacheControlOf({ cacheControl, maxAge, immutable }: StaticFilesOptions): string | null {
  if (cacheControl !== undefined) {
    if (cacheControl !== null && (typeof cacheControl !== 'string' || !/^[\t\x20-\x7e]+$/.test(cacheControl))) throw new InvalidOption('cacheControl', 'a field value, or null', cacheControl)
    if (maxAge !== undefined || immutable !== undefined) throw new InvalidOption('cacheControl', 'given without maxAge and immutable', cacheControl)
    return cacheControl
  }
  if (maxAge !== undefined && (!Number.isInteger(maxAge) || maxAge < 0)) throw new InvalidOption('maxAge', 'a whole number of seconds', maxAge)
  const forever = switchOf('immutable', immutable, false)
  if (maxAge === undefined || maxAge === 0) {
    if (forever) throw new InvalidOption('immutable', 'given with a maxAge', true)
    return 'no-cache'
  }
  return `max-age=${maxAge}${forever ? ', immutable' : ''}`
}
