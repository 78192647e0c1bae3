/** The examples of the documents, as the modules that a reader would write. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Application } from '../../lib/index.ts'
import { codeBlocks, documents, root } from './docs-markdown.ts'

/** The examples, written to a folder that has `tsgi` installed. */
export class Examples {
  readonly folder: string
  /** `DOCUMENT/FOLDER/FILE`, such as `README/hello/app.ts`. */
  readonly labels: readonly string[]
  /** Where a TypeScript block has no label, or one that another block has too. */
  readonly faults: readonly string[]

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'tsgi-docs-'))
    const found = new Map<string, string>()
    const faults: string[] = []
    for (const document of documents()) {
      for (const { language, label, code, line } of codeBlocks(document)) {
        if (language !== 'ts') continue
        const key = `${basename(document.path, '.md')}/${label ?? ''}`
        if (label === null || found.has(key)) faults.push(`${document.path}:${line}: ${label ?? 'no label'}`)
        else found.set(key, code)
      }
    }
    this.labels = [...found.keys()]
    this.faults = faults
    for (const [label, code] of found) this.#write(label, code)
    // An example that serves `./app.ts` without showing one serves that of the README.
    const hello = found.get('README/hello/app.ts') ?? ''
    for (const label of this.labels) if (!existsSync(this.path(`${dirname(label)}/app.ts`))) this.#write(`${dirname(label)}/app.ts`, hello)
    this.#write('package.json', '{ "type": "module" }')
    mkdirSync(this.path('node_modules'))
    symlinkSync(root, this.path('node_modules/tsgi'))
    for (const name of ['@types', 'express']) symlinkSync(join(root, 'node_modules', name), this.path(`node_modules/${name}`))
    // The repository's settings but for `declaration`: an application is not a library.
    this.#write('tsconfig.json', JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { rootDir: '/', declaration: false, isolatedDeclarations: false },
      include: ['.'],
    }))
  }

  /** What `tsc` says of all examples; empty if it is content. */
  typeErrors(): Promise<string> {
    return new Promise((resolve) => {
      execFile(join(root, 'node_modules/.bin/tsc'), ['-p', this.folder, '--pretty', 'false'], { cwd: this.folder }, (error, stdout, stderr) => {
        resolve(error === null ? '' : stdout + stderr || error.message)
      })
    })
  }

  /** The file of an example. */
  path(label: string): string {
    return join(this.folder, label)
  }

  /** Runs the module and gives its exports. */
  load(label: string): Promise<Record<string, unknown>> {
    return import(pathToFileURL(this.path(label)).href) as Promise<Record<string, unknown>>
  }

  /** The module's default export. */
  async application(label: string): Promise<Application> {
    return (await this.load(label))['default'] as Application
  }

  /** Removes the folder. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #write(label: string, text: string): void {
    mkdirSync(dirname(this.path(label)), { recursive: true })
    writeFileSync(this.path(label), text)
  }
}
