import * as assert from 'uvu/assert'
import { headerList } from '../../lib/index.ts'
import { decodePath, httpScope, webSocketScope } from '../../lib/exchange/scope.ts'
import { suite } from '../support/suite.ts'

const test = suite('scope')

test('a path is percent-decoded as UTF-8, and its other bytes become U+FFFD', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['/', '/'],
    ['/a%20b', '/a b'],
    ['/%C3%A4', '/ä'],
    ['/%2F%2f', '///'],
    ['/%FF%C3%A4', '/\ufffdä'],
    ['/100%', '/100%'],
    ['/%zz%41', '/%zzA'],
    ['/%00', '/\0'],
    ['*', '*'],
  ]
  for (const [raw, path] of rows) assert.is(decodePath(raw), path, raw)
})

test('a root path is encoded as it is given, and decoded in the scope: rawPath and path contain it', () => {
  const head = { scheme: 'http', rawPath: '/x%20y', queryString: '', headers: headerList([]), client: null, server: null, extensions: {} } as const
  const rows: readonly (readonly [root: string, rootPath: string, path: string, rawPath: string])[] = [
    ['', '', '/x y', '/x%20y'],
    ['/api', '/api', '/api/x y', '/api/x%20y'],
    ['/a%20b', '/a b', '/a b/x y', '/a%20b/x%20y'],
    ['/%C3%A4', '/ä', '/ä/x y', '/%C3%A4/x%20y'],
    ['/100%', '/100%', '/100%/x y', '/100%/x%20y'],
  ]
  for (const [root, ...expected] of rows) {
    const http = httpScope({ ...head, httpVersion: '1.1', method: 'GET' }, root, {})
    const webSocket = webSocketScope({ ...head, httpVersion: '1.1', subprotocols: [] }, root, {})
    for (const { rootPath, path, rawPath } of [http, webSocket]) assert.equal([rootPath, path, rawPath], expected, root)
  }
})

test.run()
