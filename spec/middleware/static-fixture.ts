import { execFileSync } from 'node:child_process'
import { chmodSync, lutimesSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { TestContext } from '../support/suite.ts'

/** When every file of the fixture was changed. */
export const changed: Date = new Date('2024-02-29T12:30:45Z')

const script = `console.log('${'hello, '.repeat(50)}')\n`

/** What the files hold, one character for each byte. */
export const files: Readonly<Record<string, string>> = {
  'digits.txt': '0123456789',
  'letters.txt': 'abcdefghijklmnopqrstuvwxyz',
  'empty.txt': '',
  'index.html': '<h1>home</h1>\n',
  'noextension': 'bytes',
  'photo.PNG': 'not really',
  'docs/index.html': '<h1>docs</h1>\n',
  'docs/guide.md': '# Guide\n',
  'docs/deep/index.html': '<h1>deep</h1>\n',
  'bare/file.txt': 'in a folder without an index\n',
  'odd/index.html/file.txt': 'the index is a folder\n',
  'a:b/index.html': 'colon\n',
  'app.js': script,
  'app.js.br': brotliCompressSync(script).toString('latin1'),
  'app.js.gz': gzipSync(script).toString('latin1'),
  'app.js.zst': 'as if it were zstd',
  'site.css': 'a { color: red }\n',
  'site.css.gz': gzipSync('a { color: red }\n').toString('latin1'),
  'with space.txt': 'space\n',
  'grüße.txt': 'hello\n',
  '100%.txt': 'percent\n',
  '%2e%2e': 'an odd name\n',
  'a&b=c.txt': 'amp\n',
  '.secret': 'secret\n',
  '.git/config': 'secret\n',
  '...': 'secret\n',
}

/** Files beside the root. */
const outside: Readonly<Record<string, string>> = { 'outside/secret.txt': 'secret\n', 'root-too/secret.txt': 'secret\n', 'secret.txt': 'secret\n' }

/** A folder to serve, and beside it what must not be served. */
export interface StaticFixture {
  readonly folder: string
  readonly root: string
  write(name: string, content: string | Uint8Array): string
}

/** Makes the folder; it is removed after the test. */
export async function staticFixture(t: TestContext): Promise<StaticFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-static-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const root = join(folder, 'root')
  const put = (path: string, content: string | Uint8Array): string => {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, typeof content === 'string' ? Buffer.from(content, 'latin1') : content)
    utimesSync(path, changed, changed)
    return path
  }
  for (const [name, content] of Object.entries(files)) put(join(root, name), content)
  for (const [name, content] of Object.entries(outside)) put(join(folder, name), content)
  const links = {
    'inside.txt': 'digits.txt', 'docs-too': 'docs', 'out.txt': '../secret.txt', 'out-absolute.txt': join(folder, 'secret.txt'), 'out': '../outside',
    'beside': '../root-too', 'loop': 'loop', 'dangling': 'none', 'evil.txt.gz': '../secret.txt',
  }
  for (const [name, to] of Object.entries(links)) symlinkSync(to, join(root, name))
  put(join(root, 'evil.txt'), 'plain\n')
  lutimesSync(join(root, 'inside.txt'), changed, changed)
  chmodSync(put(join(root, 'unreadable.txt'), 'secret\n'), 0o000)
  mkdirSync(join(root, 'nofolder'))
  execFileSync('mkfifo', [join(root, 'fifo')])
  const socket = createServer()
  await new Promise<void>((resolve) => socket.listen(join(root, 'socket'), resolve))
  t.after(() => socket.close())
  return { folder, root, write: (name, content) => put(join(root, name), content) }
}
