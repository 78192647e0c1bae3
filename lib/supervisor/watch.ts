import { readdirSync, statSync, watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'

/** Milliseconds without a change after which a burst of changes counts as over. */
const QUIET = 100
/** Folders to watch at most: a root that is too wide must not use up the system's watches. */
const MOST_FOLDERS = 2000

const SOURCE = /\.[cm]?[jt]sx?$/
const SKIPPED = /^(?:node_modules|dist|\..*)$/

/**
 * Calls `changed` with the path of a source file that changed below one of `roots`, once a burst. Returns a function
 * that ends the watch. Not `recursive: true` of `fs.watch`: on Linux that watches node_modules too.
 */
export function watchSources(roots: readonly string[], changed: (path: string) => void): () => void {
  const watchers = new Map<string, FSWatcher>()
  let timer: NodeJS.Timeout | undefined

  const addFolder = (folder: string): void => {
    if (watchers.has(folder) || watchers.size >= MOST_FOLDERS) return
    try {
      const watcher = watch(folder, (_, name) => onEvent(folder, name))
      watcher.on('error', () => removeFolder(folder))
      watchers.set(folder, watcher)
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory() && !SKIPPED.test(entry.name)) addFolder(join(folder, entry.name))
      }
    } catch {
      removeFolder(folder) // gone again, or not readable
    }
  }
  const removeFolder = (folder: string): void => {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }
  const onEvent = (folder: string, name: string | null): void => {
    if (name === null || SKIPPED.test(name)) return
    const path = join(folder, name)
    if (SOURCE.test(name)) {
      clearTimeout(timer)
      timer = setTimeout(() => changed(path), QUIET)
    } else if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      addFolder(path)
    }
  }

  for (const root of roots) addFolder(root)
  return () => {
    clearTimeout(timer)
    for (const folder of [...watchers.keys()]) removeFolder(folder)
  }
}
