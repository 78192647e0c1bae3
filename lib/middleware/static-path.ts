import type { HttpScope } from '../contract/scope.ts'

/** What a request asks for beneath the root. */
export interface WantedPath {
  /** The names on the way, decoded; none for the root itself. */
  readonly segments: readonly string[]
  /** Whether a slash stands at the end, so that only a folder can be meant. */
  readonly slash: boolean
}

// In a name these are separators, ends of strings or terminal codes; encoded they are most likely an attack.
const UNFIT = /[\0-\x1f\x7f/\\]/
// A drive, a stream (`a.txt::$DATA`), a wildcard, a short name (`GIT~1`), a device, or an end that Windows drops.
const UNFIT_ON_WINDOWS = /[<>:"|?*]|~\d|[. ]$|^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d¹²³])(?:\.|$)/i

/**
 * Reads the path beneath the present `rootPath`; null for one that no file can have. `path` says what is wanted;
 * `rawPath` is judged as well, because `path` no longer tells `%2F` from a separator, nor bytes that are not UTF-8.
 */
export function wantedPath(
  { path, rawPath, rootPath }: Pick<HttpScope, 'path' | 'rawPath' | 'rootPath'>, dotfiles: boolean, windows: boolean = process.platform === 'win32',
): WantedPath | null {
  if (!isHonest(rawPath) || !path.startsWith(rootPath)) return null
  const beneath = path.slice(rootPath.length)
  if (beneath !== '' && !beneath.startsWith('/')) return null
  const segments = beneath.split('/').slice(1)
  const slash = segments.at(-1) === ''
  if (slash) segments.pop()
  return segments.every((name) => isFit(name, dotfiles, windows)) ? { segments, slash } : null
}

function isFit(name: string, dotfiles: boolean, windows: boolean): boolean {
  if (name === '' || name === '.' || name === '..' || UNFIT.test(name)) return false
  return (dotfiles || !name.startsWith('.')) && !(windows && UNFIT_ON_WINDOWS.test(name))
}

/** Whether each segment decodes to a name, and none leads elsewhere. */
function isHonest(rawPath: string): boolean {
  if (!/[%\\]|\/\./.test(rawPath)) return true
  try {
    return rawPath.split('/').every((segment) => {
      const name = decodeURIComponent(segment)
      return name !== '.' && name !== '..' && !UNFIT.test(name)
    })
  } catch {
    // An escape that is none, or bytes that are not UTF-8.
    return false
  }
}

/** The last segment of a raw path, still encoded; empty if a slash stands at the end. */
export function lastSegment(rawPath: string): string {
  return rawPath.slice(rawPath.lastIndexOf('/') + 1)
}
