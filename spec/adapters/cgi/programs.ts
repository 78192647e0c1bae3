/** Programs that are written for a test, and applications that run them. */
import { chmodSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fromCgi, type FromCgiOptions } from '../../../adapters/cgi/index.ts'
import { testClient, type TestClient } from '../../../lib/testing/index.ts'
import { tempFolder, type Folder } from '../../support/command.ts'
import type { TestContext } from '../../support/suite.ts'

/** A program in a folder of its own, and what it made the adapter log. */
export interface Made {
  readonly file: string
  readonly folder: Folder
  readonly logged: string[]
}

/** Writes a shell script. */
export function shell(t: TestContext, script: string, name = 'program'): Made {
  return written(t, `#!/bin/sh\n${script}\n`, name)
}

/** Writes a program for Node. */
export function node(t: TestContext, script: string, name = 'program.cjs'): Made {
  return written(t, `#!${process.execPath}\n${script}\n`, name)
}

function written(t: TestContext, text: string, name: string): Made {
  const folder = tempFolder(t)
  const file = folder.write(name, text)
  chmodSync(file, 0o755)
  return { file, folder, logged: [] }
}

/** A client of the application that runs a program. */
export async function client(t: TestContext, made: Made, options: FromCgiOptions = {}, rootPath = ''): Promise<TestClient> {
  const app = fromCgi(made.file, { log: (line) => made.logged.push(line), grace: 0.2, ...options })
  const opened = await testClient(app, { rootPath })
  t.after(() => opened.close().catch(() => {}))
  return opened
}

/** Resolves once a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5)
}

/** Whether a process runs (a zombie does not). */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A script that prints its environment as the body. */
export const printsEnvironment = `printf 'Content-Type: text/plain\\n\\n'; env`

/** What `printsEnvironment` has printed. */
export function parsed(text: string): Record<string, string> {
  return Object.fromEntries(text.split('\n').filter((line) => line.includes('=')).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}
