import { execFile } from 'node:child_process'
import { readFileSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { serve, type HttpScope } from '../../lib/index.ts'
import { staticFiles } from '../../lib/middleware/index.ts'
import { openPage, watchTroubles } from '../playground/browser.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { changed, files, staticFixture } from './static-fixture.ts'

const test = suite('static files, clients of others')
const run = promisify(execFile)

/** An answer that the server gave. */
interface Given {
  readonly path: string
  readonly range: string | null
  readonly status: number
  readonly bytesSent: number
}

/** Serves a folder; `given` resolves to the answers once so many are over, which a client may know earlier. */
async function start(t: TestContext, root: string): Promise<{ readonly url: string; readonly given: (count: number) => Promise<readonly Given[]> }> {
  const over: Given[] = []
  let waiting = (): void => {}
  const server = await serve(staticFiles(null, { root }), {
    port: 0, accessLog: false,
    observer: {
      finished: ({ scope, status, bytesSent }) => {
        const { path, headers } = scope as HttpScope
        // Chromium asks for it by itself, sooner or later.
        if (path === '/favicon.ico') return
        over.push({ path, range: headers.get('range') ?? null, status, bytesSent })
        waiting()
      },
    },
  })
  t.after(() => server.close({ timeout: 1 }))
  const given = (count: number): Promise<readonly Given[]> => new Promise((resolve) => {
    waiting = () => {
      if (over.length >= count) resolve(over)
    }
    waiting()
  })
  return { url: server.url, given }
}

/** PCM, 16 bits, one channel: as many bytes of a low tone as asked for. */
function wave(bytes: number): Buffer {
  const rate = 44_100
  const buffer = Buffer.alloc(44 + bytes)
  buffer.write('RIFF', 0, 'latin1')
  buffer.writeUInt32LE(36 + bytes, 4)
  buffer.write('WAVEfmt ', 8, 'latin1')
  buffer.writeUInt32LE(16, 16)
  buffer.writeUInt16LE(1, 20)
  buffer.writeUInt16LE(1, 22)
  buffer.writeUInt32LE(rate, 24)
  buffer.writeUInt32LE(rate * 2, 28)
  buffer.writeUInt16LE(2, 32)
  buffer.writeUInt16LE(16, 34)
  buffer.write('data', 36, 'latin1')
  buffer.writeUInt32LE(bytes, 40)
  for (let at = 0; at < bytes; at += 2) buffer.writeInt16LE(at % 400 < 200 ? 800 : -800, 44 + at)
  return buffer
}

test.needing(['curl'], () => {
  for (const [name, flag] of [['HTTP/1.1', '--http1.1'], ['HTTP/2', '--http2-prior-knowledge']] as const) {
    const curl = async (...args: readonly string[]): Promise<string> => (await run('curl', ['-sS', '--max-time', '10', flag, ...args])).stdout

    test(`curl -r gets ranges, suffixes and several at once over ${name}`, async (t) => {
      const { root } = await staticFixture(t)
      const { url } = await start(t, root)
      assert.is(await curl('-r', '2-5', `${url}/digits.txt`), '2345')
      assert.is(await curl('-r', '7-', `${url}/digits.txt`), '789')
      assert.is(await curl('-r', '-3', '-w', ' %{http_code}', `${url}/digits.txt`), '789 206')
      assert.is((await curl('-r', '10-', '-w', ' %{http_code}', `${url}/digits.txt`)).slice(-4), ' 416')
      const several = await curl('-r', '0-1,4-5', `${url}/digits.txt`)
      assert.match(several, /^--([\w-]+)\r\ncontent-type: text\/plain; charset=utf-8\r\ncontent-range: bytes 0-1\/10\r\n\r\n01\r\n--\1\r\ncontent-type: text\/plain; charset=utf-8\r\ncontent-range: bytes 4-5\/10\r\n\r\n45\r\n--\1--\r\n$/)
    }, 30)

    test(`curl -C goes on with a download over ${name}`, async (t) => {
      const { root, folder, write } = await staticFixture(t)
      const content = Buffer.alloc(300_007, 'resumed')
      write('large.bin', content)
      const { url, given } = await start(t, root)
      const file = join(folder, 'download')
      await curl('-o', file, '-r', '0-99999', `${url}/large.bin`)
      assert.is(statSync(file).size, 100_000)
      await curl('-o', file, '-C', '-', `${url}/large.bin`)
      assert.ok(readFileSync(file).equals(content))
      assert.equal((await given(2)).map(({ range, status, bytesSent }) => [range, status, bytesSent]), [['bytes=0-99999', 206, 100_000], ['bytes=100000-', 206, 200_007]])
    }, 30)

    test(`curl --compressed gets and decodes a sibling over ${name}`, async (t) => {
      const { root } = await staticFixture(t)
      const { url, given } = await start(t, root)
      assert.is(await curl('--compressed', '-H', 'accept-encoding: gzip', `${url}/app.js`), files['app.js'])
      assert.is(await curl('--compressed', '-H', 'accept-encoding: br', `${url}/app.js`), files['app.js'])
      assert.is(await curl(`${url}/app.js`), files['app.js'])
      assert.equal((await given(3)).map(({ bytesSent }) => bytesSent), [files['app.js.gz']?.length, files['app.js.br']?.length, files['app.js']?.length])
    }, 30)

    test(`curl -z and --etag-compare get what has changed over ${name}`, async (t) => {
      const { root, folder, write } = await staticFixture(t)
      const { url, given } = await start(t, root)
      const code = async (...args: readonly string[]): Promise<string> => curl('-o', '/dev/null', '-w', '%{http_code}', ...args)
      assert.is(await code('-z', changed.toUTCString(), `${url}/digits.txt`), '304')
      assert.is(await code('-z', new Date(changed.getTime() - 1000).toUTCString(), `${url}/digits.txt`), '200')
      assert.is(await code('-z', `-${new Date(changed.getTime() - 1000).toUTCString()}`, `${url}/digits.txt`), '412')
      const file = join(folder, 'tag')
      assert.is(await code('--etag-save', file, `${url}/digits.txt`), '200')
      assert.is(await code('--etag-compare', file, `${url}/digits.txt`), '304')
      const copy = join(folder, 'copy')
      await curl('-R', '-o', copy, `${url}/digits.txt`)
      assert.is(statSync(copy).mtime.getTime(), changed.getTime())
      assert.is(await code('-z', copy, `${url}/digits.txt`), '304')
      const path = write('digits.txt', 'abcdefghij')
      utimesSync(path, changed, new Date(changed.getTime() + 5000))
      assert.is(await code('--etag-compare', file, `${url}/digits.txt`), '200')
      assert.is(await code('-z', copy, `${url}/digits.txt`), '200')
      assert.is((await given(9)).filter(({ status }) => status === 304 || status === 412).length, 4)
    }, 30)
  }

  test('curl --path-as-is gets out of the root by no path', async (t) => {
    const { root } = await staticFixture(t)
    const { url } = await start(t, root)
    for (const path of ['../secret.txt', '%2e%2e/secret.txt', '..%2fsecret.txt', 'docs/../../secret.txt', '..%5csecret.txt', './/../secret.txt', 'out/secret.txt']) {
      const { stdout } = await run('curl', ['-sS', '--max-time', '10', '--path-as-is', '-w', ' %{http_code}', `${url}/${path}`])
      assert.is(stdout, 'Not Found\n 404', path)
    }
  })
})

test.needing(['chromium'], () => {
  test('Chromium plays a file of sound, and seeks in it by ranges', async (t) => {
    const { root, write } = await staticFixture(t)
    const size = 20 * 1024 * 1024
    write('tone.wav', wave(size))
    write('player.html', '<!doctype html><link rel="icon" href="data:,"><audio id="audio" preload="metadata" muted src="tone.wav"></audio>')
    const { url, given } = await start(t, root)
    const page = await openPage(t)
    const troubles = watchTroubles(page)
    const statuses: (readonly [number, string | undefined])[] = []
    page.on('response', (response) => {
      if (response.url().endsWith('.wav')) statuses.push([response.status(), response.headers()['content-range']])
    })
    await page.goto(`${url}/player.html`)
    const seconds = size / 88_200
    const duration = await page.evaluate(`new Promise((resolve, reject) => {
      audio.onerror = () => reject(new Error('cannot play: ' + audio.error.message))
      if (audio.readyState >= 1) resolve(audio.duration)
      else audio.onloadedmetadata = () => resolve(audio.duration)
    })`) as number
    assert.ok(Math.abs(duration - seconds) < 0.01, String(duration))
    for (const time of [200, 30, 230.5]) {
      const at = await page.evaluate(`new Promise((resolve) => {
        audio.onseeked = () => resolve([audio.currentTime, audio.readyState >= 2 ? 'data' : 'no data'])
        audio.currentTime = ${time}
      })`)
      assert.equal(at, [time, 'data'])
    }
    const played = await page.evaluate(`(async () => {
      audio.currentTime = 100
      await audio.play()
      await new Promise((resolve) => { audio.ontimeupdate = () => { if (audio.currentTime > 100.3) resolve() } })
      audio.pause()
      return audio.currentTime
    })()`) as number
    assert.ok(played > 100.3 && played < 110, String(played))
    // Chromium asks for `bytes=0-` first, breaks it off, and asks again from where it seeks to.
    assert.ok(statuses.length >= 2)
    for (const [status, range] of statuses) assert.is(status, 206, range)
    assert.is(statuses[0]?.[1], `bytes 0-${size + 43}/${size + 44}`)
    const starts = statuses.map(([, range]) => Number(/^bytes (\d+)-/.exec(range ?? '')?.[1]))
    assert.ok(starts.some((start) => start > 199 * 88_200), String(starts))
    await page.close()
    assert.equal(troubles, [])
    const sounds = (await given(3)).filter(({ path }) => path === '/tone.wav')
    // What it holds of a range already it asks for by the tag.
    for (const { status, range } of sounds) assert.ok(status === 206 || status === 304, `${range} was answered with ${status}`)
    assert.ok(sounds.filter(({ status }) => status === 206).length >= 2)
    for (const { range } of sounds) assert.match(range ?? '', /^bytes=\d+-\d*$/)
  }, 40)

  test('Chromium takes a coded sibling, and asks by its tag when it comes again', async (t) => {
    const { root, write } = await staticFixture(t)
    write('page.html', '<!doctype html><link rel="icon" href="data:,"><link rel="stylesheet" href="site.css"><p>text</p>')
    const { url, given } = await start(t, root)
    const page = await openPage(t)
    const troubles = watchTroubles(page)
    const first = page.waitForResponse(/site\.css/)
    await page.goto(`${url}/page.html`)
    assert.is((await first).headers()['content-encoding'], 'gzip')
    assert.is(await page.evaluate('(() => { const a = document.createElement("a"); document.body.append(a); return getComputedStyle(a).color })()'), 'rgb(255, 0, 0)')
    await page.goto(`${url}/docs`)
    assert.is(page.url(), `${url}/docs/`)
    await page.goto(`${url}/page.html`)
    assert.equal((await given(6)).filter(({ path }) => path === '/site.css').map(({ status }) => status), [200, 304])
    assert.equal(troubles, [])
  }, 30)
})

test.run()
