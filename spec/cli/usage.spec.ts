import { createServer } from 'node:net'
import * as assert from 'uvu/assert'
import { parseCommandLine } from '../../lib/cli/parse.ts'
import { completeOptions } from '../../lib/server/options.ts'
import { answering, runCommand, tempFolder } from '../support/command.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('the command line')

/** Arguments after the application, and what the one line on stderr says. */
type Row = readonly [args: readonly string[], says: RegExp]

/** Runs the rows two at a time; `code` is the exit code that each must give. Reports all that are wrong at once. */
async function eachRow(t: TestContext, code: number, rows: readonly Row[], stack = false): Promise<void> {
  const queue = [...rows]
  const wrong: string[] = []
  const worker = async (): Promise<void> => {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) {
      const [args, says] = row
      const ended = await runCommand(t, args)
      const right = says.test(ended.stderr) && (stack || /^tsgi: [^\n]+\n$/.test(ended.stderr)) && ended.stdout === '' && ended.code === code
      if (!right) wrong.push(`${args.join(' ')}\n  expected ${says}, exit code ${code}\n  found exit code ${ended.code}, ${JSON.stringify(ended.stderr + ended.stdout)}`)
    }
  }
  await Promise.all([worker(), worker()])
  assert.equal(wrong, [])
}

test('a wrong command line gets one line that names the argument and what was expected, and exit code 2', async (t) => {
  const folder = tempFolder(t)
  const app = folder.write('app.mjs', `export default ${answering('ok')}; export const number = 5; export const nothing = () => {}`)
  await eachRow(t, 2, [
    [[`${folder.path}/nowhere.ts`], /nowhere\.ts: no such file, expected the module of an application/],
    [[folder.path], /: not a file, expected the module of an application/],
    [[`${app}:`], /no export after the colon, expected PATH:EXPORT/],
    [[`${app}:missing`, '--port', '0'], /app\.mjs: export "missing" is missing, expected an application \(it exports .*default/],
    [[`${app}:number`, '--port', '0'], /export "number" is 5, expected an application: a function/],
    [[`${app}:nothing`, '--factory', '--port', '0'], /the factory "nothing" made nothing, expected an application/],
    [[app, '--prot', '80'], /unknown option --prot, did you mean --port\?/],
    [[app, '--port', 'abc'], /--port must be a whole number from 0 to 65535, found "abc"/],
    [[app, '--header', 'none', '--reload'], /--header must be of the form Name: value, found "none"/],
    [[app, '--uds', '/tmp/x.sock', '--port', '1'], /--uds must be the only address: it excludes host and port/],
    [[app, '--proxy-headers', '--forwarded-allow-ips', 'proxy.example', '--port', '0'], /--forwarded-allow-ips must be .*found "proxy\.example"/],
    [[app, '--server-header', 'a\tb\nc'], /--server-header must be /],
    [[app, '--uds', ''], /--uds must be /],
  ])
}, 30)

test('what fails later gets one line too, and exit code 1', async (t) => {
  const folder = tempFolder(t)
  const app = folder.write('app.mjs', `export default ${answering('ok')}`)
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  t.after(() => new Promise((resolve) => taken.close(resolve)))
  const port = String((taken.address() as { port: number }).port)
  const lifespan = (start: string): string => `export default async (scope, receive, send) => { if (scope.type === 'lifespan') { await receive(); ${start} } }`
  await eachRow(t, 1, [
    [[app, '--port', port], new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: the address is in use`)],
    [[app, '--port', '0', '--host', '192.0.2.1'], /cannot listen on 192\.0\.2\.1:0: this machine has no such address/],
    [[app, '--uds', `${folder.path}/none/app.sock`], /cannot listen on .*app\.sock: /],
    [[folder.write('bad.ts', 'enum Colour { Red }\nexport default async function app(\n  scope: = 1\n) {}\n'), '--port', '0'], /bad\.ts:3:9: ERROR: Unexpected "="/],
    [[folder.write('wrong.js', '// one\nexport default async () => {\n  return 1 +\n}\n'), '--port', '0'], /wrong\.js:4:0: ERROR: Unexpected "}"/],
    [[folder.write('twice.mjs', 'const a = 1\n\nconst a = 2\n'), '--port', '0'], /twice\.mjs: SyntaxError: Identifier 'a' has already been declared \(.*twice\.mjs:3\)/],
    [[folder.write('imports.mjs', "import './twice.mjs'\n"), '--port', '0'], /SyntaxError: Identifier 'a' has already been declared \(.*twice\.mjs:3\)/],
    [[folder.write('unclosed.cjs', 'module.exports = (\n'), '--port', '0'], /SyntaxError: Unexpected end of input \(.*unclosed\.cjs:2\)/],
    [[folder.write('throws.mjs', "throw new TypeError('first\\nsecond')"), '--port', '0'], /throws\.mjs: TypeError: first/],
    [[folder.write('throws-text.mjs', "throw 'first\\nsecond'"), '--port', '0'], /throws-text\.mjs: first second/],
    [[folder.write('factory.mjs', "export default () => { throw new Error('no database') }"), '--factory', '--port', '0'], /factory\.mjs: .*no database/],
    [[folder.write('fails.mjs', lifespan("await send({ type: 'lifespan.startup.failed', message: 'no\\ndatabase' })")), '--port', '0'], /the application failed to start: no database/],
    [[folder.write('dies.mjs', lifespan("throw new Error('boom')")), '--port', '0', '--lifespan', 'on'], /the application threw at start-up: boom/],
    [[folder.write('hangs.mjs', lifespan('await new Promise(() => { setInterval(() => {}, 1000) })')), '--port', '0', '--timeout-lifespan-startup', '0.2'], /the application's start-up took longer than 0\.2 seconds/],
  ])
}, 30)

test('--log-level debug shows the stack', async (t) => {
  const folder = tempFolder(t)
  const throwing = folder.write('throws.mjs', "throw new Error('boom')")
  const failing = folder.write('fails.mjs', `export default async (scope, receive, send) => {
    if (scope.type === 'lifespan') await receive()
    await send({ type: 'lifespan.startup.failed', message: 'boom' })
    throw new Error('boom')
  }`)
  await eachRow(t, 1, [
    [[throwing, '--port', '0', '--log-level', 'debug'], /caused by: Error: boom\n {4}at .*throws\.mjs:1/],
    [[failing, '--port', '0', '--log-level=debug'], /caused by: Error: boom\n {4}at .*fails\.mjs:4/],
  ], true)
})

test('every kind of value is checked, and the message names the flag', () => {
  const rows: readonly Row[] = [
    [['--port'], /^--port needs a value: --port PORT$/],
    [['--port', '--reload'], /^--port needs a value: --port PORT$/],
    [['--uds', '--access-log'], /^--uds needs a value: --uds PATH$/],
    [['--header', 'x: y', '--header'], /^--header needs a value/],
    [['--port', ''], /^--port must be a whole number from 0 to 65535, found ""$/],
    [['--port='], /^--port must be a whole number .* found ""$/],
    [['--port', '-1'], /^--port must be a whole number .* found "-1"$/],
    [['--port=-1'], /^--port must be a whole number .* found "-1"$/],
    [['--port', '65536'], /^--port must be a whole number/],
    [['--port', '80.5'], /^--port must be a whole number/],
    [['--port', '1e3'], /^--port must be a whole number/],
    [['--port', '0x50'], /^--port must be a whole number/],
    [['--port', ' 80'], /^--port must be a whole number/],
    [['--backlog', '0'], /^--backlog must be a whole number from 1 /],
    [['--limit-head', '99999999999'], /^--limit-head must be a whole number from 0 to 2147483648/],
    [['--timeout-head', 'soon'], /^--timeout-head must be a number of seconds, 0 or more, found "soon"$/],
    [['--timeout-head', '-1'], /^--timeout-head must be a number of seconds/],
    [['--timeout-head', 'Infinity'], /^--timeout-head must be a number of seconds/],
    [['--lifespan', 'maybe'], /^--lifespan must be one of auto, on, off, found "maybe"$/],
    [['--log-level', 'loud'], /^--log-level must be one of debug, info, warn, error, found "loud"$/],
    [['--access-log=yes'], /^--access-log takes no value, found "yes"; to turn it off, use --no-access-log$/],
    [['--no-access-log=1'], /^--access-log takes no value/],
    [['--reload=1'], /^--reload takes no value, found "1"$/],
    [['--help=1'], /^--help takes no value/],
    [['--no-port'], /^unknown option --no-port/],
    [['--no-reload'], /^unknown option --no-reload, did you mean --reload\?$/],
    [['--no-help'], /^unknown option --no-help/],
    [['--rootpath', '/x'], /^unknown option --rootpath, did you mean --root-path\?$/],
    [['--acces-log'], /^unknown option --acces-log, did you mean --access-log\?$/],
    [['--timeout-keep', '1'], /^unknown option --timeout-keep, did you mean --timeout-keep-alive\?$/],
    [['--Port', '1'], /^unknown option --Port, did you mean --port\?$/],
    [['--colour-of-the-sky'], /^unknown option --colour-of-the-sky; --help lists the options$/],
    [['-p', '80'], /^unknown option -p; --help lists the options$/],
    [['-hp'], /^unknown option -p/],
    [['--__proto__'], /^unknown option --__proto__/],
    [['--constructor', 'x'], /^unknown option --constructor/],
    [['app.ts', '--', '--port'], /^--port: one application only, found a second after app\.ts$/],
  ]
  for (const [args, says] of rows) assert.throws(() => parseCommandLine(args), (error: Error) => says.test(error.message), args.join(' '))
})

test('ranges that hold for serve() too are checked with the options', () => {
  const rows: readonly (readonly [object, RegExp])[] = [
    [{ rootPath: 'api' }, /^rootPath must be empty, or a path/],
    [{ rootPath: '/api/' }, /^rootPath must be empty, or a path/],
    [{ rootPath: '/a//b' }, /^rootPath must be/],
    [{ rootPath: '/a?b' }, /^rootPath must be/],
    [{ rootPath: '/ä' }, /^rootPath must be/],
    [{ uds: '' }, /^uds must be/],
    [{ host: '' }, /^host must be/],
    [{ uds: '/x', host: '::1' }, /^uds must be the only address/],
    [{ timeoutHead: 3_000_000 }, /^timeoutHead must be a number of seconds/],
    [{ timeoutHead: NaN }, /^timeoutHead must be a number of seconds/],
    [{ port: '80' }, /^port must be a whole number/],
    [{ header: 'a: b' }, /^header must be a list of strings/],
    [{ accessLog: 'no' }, /^accessLog must be true or false/],
    [{ prot: 80 }, /^prot must be an option of serve\(\)/],
  ]
  for (const [options, says] of rows) assert.throws(() => completeOptions(options), (error: Error) => says.test(error.message), JSON.stringify(options))
})

test('flags are read: values after a space or an equals sign, lists repeat, the last of a flag counts', () => {
  const line = parseCommandLine([
    '--port=1', 'app.ts:admin', '--port', '9000', '--header', 'a: b', '--header=c: d', '--no-access-log', '--date-header', '--no-date-header',
    '--timeout-head', '0.5', '--server-header=', '--uds=--odd', '--reload', '--threads', '2', '--thread-queue=0',
  ])
  assert.equal(line, {
    application: 'app.ts:admin',
    options: { port: 9000, header: ['a: b', 'c: d'], accessLog: false, dateHeader: false, timeoutHead: 0.5, serverHeader: '', uds: '--odd' },
    threads: 2,
    interface: 'auto',
    threadQueue: 0,
    reload: true,
    help: false,
    version: false,
  })
})

test('--help lists every option, --version the version, both with exit code 0', async (t) => {
  const [help, short, version] = await Promise.all([runCommand(t, ['--help']), runCommand(t, ['-h']), runCommand(t, ['--version'])])
  for (const flag of ['--host ADDRESS', '--port PORT', '--uds PATH', '--reload', '--[no-]access-log', '--[no-]proxy-headers', '--timeout-graceful-shutdown SECONDS']) {
    assert.ok(help.stdout.includes(`  ${flag} `), flag)
  }
  assert.match(help.stdout, /--port PORT .*\(default: 8000\)/)
  assert.ok(help.stdout.split('\n').every((text) => text.length <= 140), 'no line is too long to read')
  assert.is(short.stdout, help.stdout)
  assert.match(version.stdout, /^\d+\.\d+\.\d+\S*\n$/)
  assert.equal([help.code, version.code, help.stderr, version.stderr], [0, 0, '', ''])
})

test.run()
