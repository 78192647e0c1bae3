/** A repository served by `git http-backend` through `fromCgi`: real clients clone it and push to it. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { Server } from '../../lib/index.ts'
import app from '../../playground/git/app.ts'
import { authority } from '../support/certificates.ts'
import { tempFolder } from '../support/command.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { tlsServer } from '../support/tls-server.ts'

const test = suite('playground git')

interface Client {
  readonly folder: string
  readonly url: string
  /** Runs git in a folder; gives what it printed on both streams. */
  git(cwd: string, ...args: readonly string[]): Promise<string>
}

/** The server, and a git that speaks one version of HTTP to it. */
async function open(t: TestContext, version: '1.1' | '2'): Promise<Client & { readonly versions: Set<string>; readonly server: Server }> {
  const versions = new Set<string>()
  const server = await tlsServer(t, {
    lifespan: 'on',
    observer: { started: ({ scope }) => void versions.add(scope.httpVersion) },
  }, app)
  const { path: folder } = tempFolder(t)
  const env = {
    PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0', GIT_SSL_CAINFO: authority().cert, no_proxy: '*',
    GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@localhost', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@localhost',
  }
  return {
    folder,
    versions,
    server,
    url: `${server.url.replace('127.0.0.1', 'localhost')}/playground.git`,
    git: (cwd, ...args) => new Promise((resolve, reject) => {
      // After the end of a body without a length over HTTP/2, curl 7.88 asks for more on a machine that is busy, and git waits
      // for ever. One that fits the buffer has its length.
      const buffer = version === '2' ? ['-c', 'http.postBuffer=67108864'] : []
      execFile('git', ['-c', `http.version=HTTP/${version}`, ...buffer, ...args], { cwd, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => error === null ? resolve(stdout + stderr) : reject(new Error(`${error.message}\n${stderr}`)))
    }),
  }
}

/** Fills a clone with `count` files in folders, of `size` bytes that cannot be compressed. */
function fill(clone: string, count: number, size: number): void {
  for (let i = 0; i < count; i++) {
    const folder = join(clone, `d${i % 50}`)
    if (i < 50) mkdirSync(folder)
    writeFileSync(join(folder, `f${i}`), randomBytes(size))
  }
}

test.needing(['git'], () => {
  for (const version of ['1.1', '2'] as const) {
    test(`thousands of objects and several MiB are pushed, and cloned again, over HTTP/${version}`, async (t) => {
      const { git, url, folder, versions } = await open(t, version)
      await git(folder, 'clone', '--quiet', url, 'one')
      const one = join(folder, 'one')
      fill(one, 3000, 3000)
      await git(one, 'add', '.')
      await git(one, 'commit', '--quiet', '-m', 'Many')
      await git(one, 'push', '--quiet')
      // What is new goes out, and what is known does not.
      fill(join(one, 'd0'), 50, 100)
      await git(one, 'add', '.')
      await git(one, 'commit', '--quiet', '-m', 'More')
      await git(one, 'push', '--quiet', 'origin', 'HEAD', 'HEAD:refs/heads/other')
      await git(folder, 'clone', '--quiet', url, 'two')
      const two = join(folder, 'two')
      await git(two, 'fsck', '--full', '--strict')
      const head = await git(one, 'rev-parse', 'HEAD')
      assert.is(await git(two, 'rev-parse', 'HEAD'), head)
      assert.is(await git(two, 'rev-parse', 'origin/other'), head)
      assert.ok(Number(/^in-pack: ([0-9]+)$/m.exec(await git(two, 'count-objects', '-v'))?.[1]) > 3000)
      assert.ok(Number(/^size-pack: ([0-9]+)$/m.exec(await git(two, 'count-objects', '-v'))?.[1]) > 8000)
      assert.equal([...versions], [version])
      await git(one, 'fetch', '--quiet')
    }, 90)
  }

  test('a push that does not fit is refused by git, and the client is told', async (t) => {
    const { git, url, folder } = await open(t, '1.1')
    for (const name of ['one', 'two']) await git(folder, 'clone', '--quiet', url, name)
    for (const name of ['one', 'two']) await git(join(folder, name), 'commit', '--quiet', '--allow-empty', '-m', name)
    await git(join(folder, 'one'), 'push', '--quiet')
    const refused = await git(join(folder, 'two'), 'push').catch((error: Error) => error.message)
    assert.match(refused, /rejected/)
  }, 30)

  test('the page says how to clone, and what was pushed', async (t) => {
    const { git, url, folder, server } = await open(t, '1.1')
    await git(folder, 'clone', '--quiet', url, 'one')
    await git(join(folder, 'one'), 'commit', '--quiet', '--allow-empty', '-m', 'A <b> c')
    await git(join(folder, 'one'), 'push', '--quiet')
    const page = await fetchPage(server, '/')
    assert.ok(page.includes(`git clone ${url}`))
    assert.ok(page.includes('A: A &#60;b&#62; c'))
    assert.match(await fetchPage(server, '/other.git/info/refs'), /There is/)
  }, 30)
})

function fetchPage(server: Server, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`${server.url.replace('127.0.0.1', 'localhost')}${path}`, { ca: readFileSync(authority().cert) }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () => resolve(text))
    }).on('error', reject)
  })
}

test.run()
