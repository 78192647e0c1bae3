/** Programs that die, hang or flood, clients that leave: what the client sees, and that no process is left. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { fromCgi } from '../../../adapters/cgi/index.ts'
import { CgiError, InvalidOption, LoadFailed, type ExchangeOutcome } from '../../../lib/index.ts'
import { startProcess, tempFolder, type Folder } from '../../support/command.ts'
import { deferred } from '../../support/deferred.ts'
import { rawServer, seconds } from '../../support/raw-socket.ts'
import { rejection } from '../../support/rejection.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { alive, client, node, shell, until, type Made } from './programs.ts'

const test = suite('CGI, programs that fail and clients that leave')

/** A shell script that notes its own process id and those of two others that it starts, which outlive a polite signal. */
function family(t: TestContext, then: string): Made & { pids(): readonly number[] } {
  const made = shell(t, `
    echo $$ >> pids
    (trap '' TERM; echo noted >> noted; while :; do sleep 0.05; done) >/dev/null 2>&1 &
    echo $! >> pids
    sleep 1000 &
    echo $! >> pids
    until [ -f noted ]; do sleep 0.01; done
    ${then}`)
  return { ...made, pids: () => numbers(made.folder) }
}

function numbers(folder: Folder): readonly number[] {
  try {
    return readFileSync(`${folder.path}/pids`, 'utf8').trim().split('\n').map(Number)
  } catch {
    return []
  }
}

async function allGone(pids: readonly number[]): Promise<void> {
  assert.ok(pids.length >= 3)
  await until(() => !pids.some(alive))
}

test('a program that is not there, not a file or not executable: LoadFailed, at once', (t) => {
  const folder = tempFolder(t)
  const { file } = shell(t, '')
  assert.throws(() => fromCgi(file, { script: `${folder.path}/none` }), (error: unknown) => error instanceof LoadFailed)
  for (const program of [`${folder.path}/none`, folder.path, 'tsgi-no-such-program', folder.write('plain', 'x')]) assert.throws(() => fromCgi(program), (error: unknown) => error instanceof LoadFailed, program)
})

test('options that cannot be: InvalidOption', (t) => {
  const { file } = shell(t, '')
  for (const options of [{ timeout: -1 }, { timeout: NaN }, { grace: -1 }, { concurrency: 0 }, { concurrency: 1.5 }, { queueLimit: -1 }, { headLimit: 0 }, { spoolLimit: -1 }, { cwd: '/no/such/folder' }]) {
    assert.throws(() => fromCgi(file, options), (error: unknown) => error instanceof InvalidOption, JSON.stringify(options))
  }
})

test('a program that cannot be started when a request comes is a 502, and the log says why', async (t) => {
  const made = shell(t, '')
  const opened = await client(t, made)
  rmSync(made.file)
  assert.is((await opened.fetch('/')).status, 502)
  assert.match(made.logged.join(), /cannot be started: spawn .* ENOENT/)
})

test('a program that dies before its head is complete: 502, with its stderr and the reason in the log', async (t) => {
  for (const [script, reason] of [
    ['echo oops >&2; exit 3', /ended with code 3 without a response/],
    ['echo oops >&2; kill -SEGV $$', /ended by SIGSEGV/],
    ['echo oops >&2; printf "Content-Type: a/b\\n"; exit 1', /ended with code 1 within its head/],
  ] as const) {
    const made = shell(t, script)
    const response = await (await client(t, made)).fetch('/')
    assert.equal([response.status, await response.text()], [502, 'Bad Gateway\n'])
    await until(() => made.logged.length === 2)
    assert.ok(made.logged.includes('program: oops'))
    assert.match(made.logged.join('\n'), reason)
  }
})

test('a program that dies after its head: the response is broken off, by a code and by a signal', async (t) => {
  for (const [end, reason] of [['exit 7', /ended with code 7/], ['kill -KILL $$', /ended by SIGKILL/]] as const) {
    const made = shell(t, `printf 'Content-Type: a/b\\n\\npart'; sleep 0.05; ${end}`)
    const response = await (await client(t, made)).fetch('/')
    assert.is(response.status, 200)
    const error = await rejection(response.text())
    assert.instance(error, CgiError)
    assert.match(error.message, reason)
  }
})

test('a program that dies takes all that it started along, and nobody waits for what holds its output', async (t) => {
  for (const [end, reason] of [['exit 3', /ended with code 3 without a response/], ['kill -SEGV $$', /ended by SIGSEGV/]] as const) {
    const made = family(t, end)
    const time = await seconds((await client(t, made)).fetch('/').then(({ status }) => assert.is(status, 502)))
    assert.ok(time < 5, `${time}`)
    assert.match(made.logged.join(), reason)
    await allGone(made.pids())
  }
  const half = family(t, `printf 'Content-Type: a/b\\n\\npart'; exit 3`)
  assert.match((await rejection((await (await client(t, half)).fetch('/')).text())).message, /ended with code 3/)
  await allGone(half.pids())
}, 20)

test('what a program that ends well has started goes on; the response ends with its output', async (t) => {
  const made = shell(t, `(while [ ! -f go ]; do sleep 0.02; done; echo late; touch done) & echo $! >> pids; printf 'Content-Type: a/b\\n\\n'`)
  const fetched = (await client(t, made)).fetch('/').then((response) => response.text())
  await until(() => numbers(made.folder).length === 1)
  made.folder.write('go', '')
  assert.is(await fetched, 'late\n')
  const quiet = shell(t, `sleep 1000 >/dev/null 2>&1 & echo $! >> pids; printf 'Content-Type: a/b\\n\\nx'`)
  assert.is(await (await (await client(t, quiet)).fetch('/')).text(), 'x')
  const [pid = 0] = numbers(quiet.folder)
  assert.ok(alive(pid))
  process.kill(pid, 'SIGKILL')
})

test('less output than its Content-Length: the response is broken off, never cut short in silence', async (t) => {
  const made = shell(t, `printf 'Content-Type: a/b\\nContent-Length: 10\\n\\npart'`)
  const error = await rejection((await (await client(t, made)).fetch('/')).text())
  assert.match(error.message, /its response has 4 of the 10 bytes/)
  const raw = await rawServer(t, fromCgi(made.file, { log: () => {} }))
  const socket = await raw.connect()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await socket.ended
  assert.not.match(socket.text, /\r\n0\r\n\r\n/)
})

test('more output than its Content-Length: the rest is dropped, the log says so, and the program is ended', async (t) => {
  const made = family(t, `printf 'Content-Type: a/b\\nContent-Length: 4\\n\\npart'; yes`)
  const response = await (await client(t, made)).fetch('/')
  assert.is(await response.text(), 'part')
  await until(() => made.logged.length > 0)
  assert.match(made.logged[0] ?? '', /has more than the 4 bytes/)
  await allGone(made.pids())
})

test('a code other than 0 after a whole response of a known length is logged only; with ignoreExitCode any code is well', async (t) => {
  const known = shell(t, `printf 'Content-Type: a/b\\nContent-Length: 4\\n\\npart'; exit 1`)
  assert.is(await (await (await client(t, known)).fetch('/')).text(), 'part')
  await until(() => known.logged.length > 0)
  assert.match(known.logged[0] ?? '', /ended with code 1/)
  const unknown = shell(t, `printf 'Content-Type: a/b\\n\\npart'; exit 1`)
  assert.is(await (await (await client(t, unknown, { ignoreExitCode: true })).fetch('/')).text(), 'part')
})

test('a program that hangs before its head: 504, and all that it started is ended', async (t) => {
  const made = family(t, 'sleep 1000')
  const response = await (await client(t, made, { timeout: 0.5 })).fetch('/')
  assert.equal([response.status, await response.text()], [504, 'Gateway Timeout\n'])
  assert.match(made.logged.join(), /nothing has come or gone for 0.5 seconds/)
  await allGone(made.pids())
})

test('a program that hangs after its head: the response is broken off', async (t) => {
  const made = family(t, `printf 'Content-Type: a/b\\n\\npart'; sleep 1000`)
  const error = await rejection((await (await client(t, made, { timeout: 0.5 })).fetch('/')).text())
  assert.match(error.message, /nothing has come or gone/)
  await allGone(made.pids())
})

test('a program that takes no input hangs, however slow its client is not', async (t) => {
  const made = shell(t, 'sleep 1000')
  const response = await (await client(t, made, { timeout: 0.3 })).fetch('/', { method: 'POST', body: Buffer.alloc(5_000_000) })
  assert.is(response.status, 504)
})

test('a program is not blamed while its client is slow to send, or slow to read', async (t) => {
  const made = shell(t, `printf 'Content-Type: a/b\\n\\n'; cat; head -c 2000000 /dev/zero`)
  const opened = await client(t, made, { timeout: 0.2 })
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 500))
  const body = (async function* () {
    yield Buffer.from('a')
    await pause()
    yield Buffer.from('b')
  })()
  const response = await opened.fetch('/', { method: 'POST', body, headers: { 'content-length': '2' } })
  await pause()
  assert.is((await response.arrayBuffer()).byteLength, 2_000_002)
})

test('after its response a program may go on for as long as the time limit', async (t) => {
  const made = family(t, `printf 'Content-Type: a/b\\nContent-Length: 4\\n\\npart'; sleep 1000`)
  assert.is(await (await (await client(t, made, { timeout: 0.5 })).fetch('/')).text(), 'part')
  await until(() => made.logged.length > 0)
  assert.match(made.logged[0] ?? '', /nothing has come or gone/)
  await allGone(made.pids())
})

test('stderr is logged line by line: long lines are cut, control characters shown, a flood is dropped', async (t) => {
  const made = node(t, `
    process.stderr.write('one\\ntwo\\r\\n\\x1b[31mred\\x07\\n' + 'x'.repeat(5000) + '\\nlast')
    process.stdout.write('Content-Type: a/b\\n\\nx')`, 'program')
  await (await (await client(t, made)).fetch('/')).text()
  await until(() => made.logged.length === 6)
  assert.equal(made.logged, ['program: one', 'program: two', 'program: \\x1b[31mred\\x07', `program: ${'x'.repeat(4096)}`, `program: ${'x'.repeat(904)}`, 'program: last'])
  const flood = shell(t, `printf 'Content-Type: a/b\\n\\n'; head -c 10000000 /dev/zero | tr '\\0' '\\n' >&2; echo done`)
  assert.is(await (await (await client(t, flood)).fetch('/')).text(), 'done\n')
  await until(() => flood.logged.at(-1)?.includes('the rest is dropped') === true)
  assert.ok(flood.logged.length <= 65538)
})

test('the client leaves: the program and all that it started are ended, wherever they were', async (t) => {
  for (const [name, script, method] of [
    ['before the head', 'sleep 1000', 'GET'],
    ['amid the body', `printf 'Content-Type: a/b\\n\\n'; yes`, 'GET'],
    ['while it is silent', `printf 'Content-Type: a/b\\n\\npart'; sleep 1000`, 'GET'],
    ['while it reads', `cat > /dev/null; sleep 1000`, 'POST'],
  ] as const) {
    const made = family(t, script)
    const ended = deferred<ExchangeOutcome>()
    const raw = await rawServer(t, fromCgi(made.file, { grace: 0.2, log: (line) => made.logged.push(line) }), { observer: { finished: ended.resolve } })
    const socket = await raw.connect()
    socket.write(`${method} / HTTP/1.1\r\nHost: a\r\n${method === 'POST' ? 'Content-Length: 10\r\n' : ''}\r\nhello`.slice(0, method === 'POST' ? undefined : -5))
    await until(() => made.pids().length === 3)
    socket.socket.resetAndDestroy()
    const outcome = await ended.promise
    assert.equal([outcome.disconnected, outcome.error], [true, undefined], name)
    await allGone(made.pids())
    assert.equal(made.logged, [], name)
  }
}, 30)

test('no more programs run than the option says; others wait in order, and those that find no place to wait get a 503', async (t) => {
  const made = shell(t, `echo $$ >> pids; printf 'Content-Type: a/b\\n\\n'; until [ -f "go$QUERY_STRING" ]; do sleep 0.01; done; echo $QUERY_STRING`)
  const opened = await client(t, made, { concurrency: 2, queueLimit: 2 })
  const order: string[] = []
  const fetching = (name: string): Promise<void> => opened.fetch(`/?${name}`).then(async (response) => void order.push(`${response.status} ${(await response.text()).trim()}`))
  const all = ['a', 'b'].map(fetching)
  await until(() => numbers(made.folder).length === 2)
  all.push(...['c', 'd'].map(fetching))
  await new Promise((resolve) => setImmediate(resolve))
  const refused = await opened.fetch('/?e')
  assert.equal([refused.status, refused.headers.get('retry-after')], [503, '1'])
  assert.match(made.logged.join(), /2 are running already/)
  assert.is(numbers(made.folder).length, 2)
  made.folder.write('goa', '')
  await until(() => numbers(made.folder).length === 3)
  made.folder.write('goc', '')
  await until(() => order.length === 2)
  for (const name of ['b', 'd']) made.folder.write(`go${name}`, '')
  await Promise.all(all)
  assert.equal(order.slice(0, 2), ['200 a', '200 c'])
  assert.equal(order.slice(2).sort(), ['200 b', '200 d'])
})

test('a request that waits for its turn gives it up when its client leaves, and when it takes too long', async (t) => {
  const made = shell(t, `echo $$ >> pids; until [ -f go ]; do sleep 0.01; done; printf 'Content-Type: a/b\\n\\nx'`)
  const opened = await client(t, made, { concurrency: 1, queueLimit: 1, timeout: 1 })
  const first = opened.fetch('/first')
  await until(() => numbers(made.folder).length === 1)
  const controller = new AbortController()
  const second = rejection(opened.fetch('/', { signal: controller.signal }))
  await new Promise((resolve) => setImmediate(resolve))
  assert.is((await opened.fetch('/')).status, 503)
  controller.abort()
  await second
  const third = opened.fetch('/')
  const [one, three] = await Promise.all([first, third])
  assert.is(one.status, 504)
  assert.ok(three.status === 503 || three.status === 504)
})

test('a body of unknown length: 413 over the limit, 411 where it may not be kept, and no file is left', async (t) => {
  const made = shell(t, `printf 'Content-Type: a/b\\n\\n'; wc -c`)
  const spool = tempFolder(t)
  const chunks = async function* (count: number): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < count; i++) yield Buffer.alloc(50_000)
  }
  const limited = await client(t, made, { spoolLimit: 200_000, spoolFolder: spool.path })
  for (const [count, status] of [[4, 200], [5, 413], [1, 200]] as const) {
    const response = await limited.fetch('/', { method: 'POST', body: chunks(count) })
    assert.is(response.status, status)
    await response.text()
    assert.equal(readdirSync(spool.path), [])
  }
  assert.is((await (await client(t, made, { spool: false })).fetch('/', { method: 'POST', body: chunks(1) })).status, 411)
  assert.is((await (await client(t, made, { spool: false })).fetch('/', { method: 'POST', body: 'abc' })).status, 200)
})

test('a client that leaves amid a body of unknown length: no program is started, and no file is left', async (t) => {
  const made = shell(t, 'echo $$ >> pids')
  const ended = deferred<ExchangeOutcome>()
  const raw = await rawServer(t, fromCgi(made.file), { observer: { finished: ended.resolve } })
  const socket = await raw.connect()
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3000\r\n${'x'.repeat(0x3000)}\r\n`)
  await new Promise((resolve) => setTimeout(resolve, 20))
  socket.socket.resetAndDestroy()
  const outcome = await ended.promise
  assert.equal([outcome.error, numbers(made.folder)], [undefined, []])
})

test('no descriptors left for another program: 503, and none is lost by it', async (t) => {
  const made = shell(t, `printf 'Content-Type: a/b\\n\\nx'`)
  const host = made.folder.write('host.mts', `
    import { closeSync, openSync, readdirSync } from 'node:fs'
    import { fromCgi } from ${JSON.stringify(new URL('../../../adapters/cgi/index.ts', import.meta.url).href)}
    import { testClient } from ${JSON.stringify(new URL('../../../lib/testing/index.ts', import.meta.url).href)}
    const client = await testClient(fromCgi(process.argv[2], { log: () => {} }))
    const ask = async (init) => {
      const response = await client.fetch('/', init)
      await response.text()
      return response.status
    }
    const statuses = new Set([await ask({}), await ask({ method: 'POST', body: 'x' })])
    const before = readdirSync('/proc/self/fd').length
    for (let free = 0; free < 12; free++) {
      const taken = []
      try {
        for (;;) taken.push(openSync('/dev/null'))
      } catch {}
      for (const each of taken.splice(0, free)) closeSync(each)
      for (const init of [{}, { method: 'POST', body: 'x' }]) statuses.add(await ask(init))
      for (const each of taken) closeSync(each)
    }
    console.log(JSON.stringify([[...statuses].sort(), Math.max(readdirSync('/proc/self/fd').length - before, 0)]))
    process.exit(0)
  `)
  const node = [process.execPath, '--conditions=source', '--import', 'tsx', host, made.file]
  const { stdout, stderr } = await startProcess(t, node, { program: ['/bin/sh', '-c', 'ulimit -n 100; exec "$@"', 'sh'] }).ended
  assert.is(stdout.trim(), '[[200,503],0]', stderr)
}, 20)

test('when the process ends, the programs that run end with it', async (t) => {
  const made = family(t, 'sleep 1000')
  const host = made.folder.write('host.mts', `
    import { fromCgi } from ${JSON.stringify(new URL('../../../adapters/cgi/index.ts', import.meta.url).href)}
    import { testClient } from ${JSON.stringify(new URL('../../../lib/testing/index.ts', import.meta.url).href)}
    const client = await testClient(fromCgi(process.argv[2]))
    void client.fetch('/').catch(() => {})
    process.on('SIGTERM', () => process.exit(0))
    console.log('ready')
  `)
  const running = startProcess(t, ['--conditions=source', '--import', 'tsx', host, made.file], { program: [process.execPath] })
  await running.output(/ready/)
  await until(() => made.pids().length === 3)
  assert.ok(made.pids().every(alive))
  running.kill('SIGTERM')
  assert.is((await running.ended).code, 0)
  await allGone(made.pids())
})

test.run()
