import { Console } from 'node:console'
import { UsageError } from '../contract/errors.ts'
import { serveCgi } from '../protocols/cgi/index.ts'
import { applicationRef, prepareFor } from './application-ref.ts'
import { interfaces, loaderFor, type Interface } from './interface.ts'

/** `tsgi cgi PATH[:EXPORT] [--interface NAME]`: answers the request that a web server has started this process for, and ends it. */
export async function runCgi(args: readonly string[]): Promise<void> {
  const { application, model } = parse(args)
  const ref = applicationRef(application)
  if (process.env['REQUEST_METHOD'] === undefined) throw new UsageError('tsgi cgi is run by a web server: the environment has no REQUEST_METHOD (RFC 3875)')
  // Standard output is the response.
  globalThis.console = new Console(process.stderr)
  const controller = new AbortController()
  // How a server says that the client has left; a second time ends the process.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => controller.abort())
  // An application may wait for nothing else.
  setInterval(() => {}, 2 ** 30)
  await prepareFor(ref)
  await serveCgi(await loaderFor(model)(ref, false), { signal: controller.signal })
  process.exit(0)
}

function parse(args: readonly string[]): { readonly application: string; readonly model: Interface } {
  let application: string | undefined
  let model: string = 'auto'
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] ?? ''
    if (argument === '--interface') model = args[++i] ?? ''
    else if (argument.startsWith('--interface=')) model = argument.slice('--interface='.length)
    else if (argument.startsWith('-') || application !== undefined) throw new UsageError(`${argument}: tsgi cgi takes PATH[:EXPORT] and --interface NAME only`)
    else application = argument
  }
  if (application === undefined) throw new UsageError('no application: tsgi cgi PATH[:EXPORT]')
  const known = interfaces.find((name) => name === model)
  if (known === undefined) throw new UsageError(`--interface ${model}: expected ${interfaces.join(', ')}`)
  return { application, model: known }
}
