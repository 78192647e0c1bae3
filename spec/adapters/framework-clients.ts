/** Clients that know nothing of each other, which ask the same and tell in one form what they were answered. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { authority } from '../support/certificates.ts'
import { runProgram } from '../support/tls-server.ts'
import type { Ask } from './node/hosts.ts'

/** An answer without what belongs to the connection and without the date. */
export interface Told {
  readonly version: string
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** One character for each byte. */
  readonly body: string
}

const ofTheConnection = /^(?:date|connection|keep-alive|transfer-encoding)$/

function told(version: string, status: number, headers: Iterable<readonly [string, string]>, body: string): Told {
  const kept = [...headers].filter(([name]) => !ofTheConnection.test(name)).map(([name, value]) => [name, value] as const)
  return { version, status, headers: kept.sort((a, b) => a.join() < b.join() ? -1 : 1), body }
}

/** Asks all with one curl, one after the other; `flag` chooses the protocol. */
export async function byCurl(origin: string, asks: readonly Ask[], flag: string): Promise<readonly Told[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-curl-'))
  try {
    const lines = asks.flatMap(({ method = 'GET', path, headers = {}, body }, index) => {
      if (body !== undefined) writeFileSync(join(folder, `${index}.in`), body)
      return [
        `url = "${origin}${path}"`, `output = "${join(folder, `${index}.out`)}"`, 'path-as-is', 'globoff', `cacert = "${authority().cert}"`, flag,
        ...(method === 'HEAD' ? ['head'] : method === 'GET' ? [] : [`request = ${method}`]),
        ...Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => `header = "${name}: ${value}"`)),
        ...(body === undefined ? [] : [`data-binary = "@${join(folder, `${index}.in`)}"`]),
        // What comes before and after the head, and repeated fields, are in it as curl understood them.
        'write-out = "%{http_version} %{response_code} %{size_download} %{header_json}\\n\\n\\n"', 'next',
      ]
    })
    writeFileSync(join(folder, 'config'), lines.slice(0, -1).join('\n'))
    const { code, stdout, stderr } = await runProgram('curl', ['-q', '-sS', '-K', join(folder, 'config')])
    if (code !== 0) throw new Error(`curl: ${stderr}`)
    return stdout.trimEnd().split('\n\n\n').map((shown, index) => {
      const [, version = '', status = '', size = '', fields = '{}'] = /^(\S+) (\S+) (\S+) (.*)$/s.exec(shown) ?? []
      const headers = Object.entries(JSON.parse(fields) as Record<string, readonly string[]>)
      const body = asks[index]?.method === 'HEAD' || size === '0' ? '' : readFileSync(join(folder, `${index}.out`), 'latin1')
      return told(version, Number(status), headers.flatMap(([name, values]) => values.map((value) => [name, value] as const)), body)
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Asks all with the `fetch` of Node, which speaks HTTP/1.1. */
export async function byFetch(origin: string, asks: readonly Ask[]): Promise<readonly Told[]> {
  const answers: Told[] = []
  for (const { method = 'GET', path, headers = {}, body } of asks) {
    const response = await fetch(origin + path, { method, headers: headers as Record<string, string>, body: body ?? null, redirect: 'manual' })
    answers.push(told('1.1', response.status, response.headers, Buffer.from(await response.arrayBuffer()).toString('latin1')))
  }
  return answers
}

/**
 * Asks all from a page of that origin. A browser follows redirects, and keeps cookies to itself: here it is to have
 * none, since all ports of a host share them.
 */
export async function byPage(page: Page, origin: string, asks: readonly Ask[]): Promise<readonly Told[]> {
  await page.goto(`${origin}/text`)
  const given = asks.map(({ method = 'GET', path, headers = {}, body }) => ({ method, path, headers, body: body === undefined ? null : Buffer.from(body).toString('base64') }))
  const script = `(async (asks) => {
    const bytes = (base64) => Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))
    const answers = []
    for (const { method, path, headers, body } of asks) {
      const options = { method, headers, credentials: 'omit', cache: 'no-store', referrerPolicy: 'no-referrer' }
      const response = await fetch(path, body === null ? options : { ...options, body: bytes(body) })
      let text = ''
      for (const each of new Uint8Array(await response.arrayBuffer())) text += String.fromCharCode(each)
      answers.push([response.status, [...response.headers, ['(at)', response.url.slice(location.origin.length)]], text])
    }
    return [performance.getEntriesByType('navigation')[0].nextHopProtocol, answers]
  })(${JSON.stringify(given)})`
  const [protocol, answers] = await page.evaluate(script) as [string, [number, [string, string][], string][]]
  return answers.map(([status, headers, body]) => told(protocol, status, headers, body))
}
