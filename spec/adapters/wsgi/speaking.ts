/** A program: calls an application that writes to `wsgi.errors`, inline or on a thread; prints what its own stderr was given. */
import { fromWsgi } from '../../../adapters/wsgi/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { speaks } from './apps.ts'

const writes: unknown[] = []
const { stderr } = process
const write = stderr.write.bind(stderr)
stderr.write = ((text: string) => {
  writes.push(text)
  return write(text)
}) as typeof stderr.write

const client = await testClient(fromWsgi(process.argv[2] === 'inline' ? speaks : new URL('./apps.js#speaks', import.meta.url)))
console.log(await (await client.fetch('/')).text(), JSON.stringify(writes))
