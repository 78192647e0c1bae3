/** The files of a page, read once, so that to serve one is to look it up. */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'

export interface PageFile {
  /** The media type. */
  readonly type: string
  readonly body: string
}

const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' }

/** The files of a folder by path; `index.html` is `/`. */
export async function readPageFiles(folder: string): Promise<Map<string, PageFile>> {
  const files = new Map<string, PageFile>()
  for (const name of await readdir(folder, { recursive: true })) {
    const type = types[extname(name)]
    if (type === undefined) continue
    const path = name === 'index.html' ? '/' : `/${name.replaceAll(sep, '/')}`
    files.set(path, { type: `${type}; charset=utf-8`, body: await readFile(join(folder, name), 'utf8') })
  }
  return files
}
