/** The parts of the documents that are made from data of the code. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { flagText } from '../../lib/cli/help.ts'
import { optionTable, type CommandOption } from '../../lib/cli/option-table.ts'
import { httpExpected, httpOrder, httpStates, type OrderRule } from '../../lib/exchange/http-order.ts'
import { lifespanExpected, lifespanOrder, lifespanStates } from '../../lib/exchange/lifespan-order.ts'
import { webSocketExpected, webSocketOrder, webSocketStates } from '../../lib/exchange/websocket-order.ts'
import { optionDefaults } from '../../lib/server/options.ts'
import { root } from './docs-markdown.ts'

/** An error class as its source says it. */
export interface ErrorClass {
  readonly name: string
  readonly code: string
  readonly meaning: string
}

/** The classes of lib/contract/errors.ts that have a code of their own, in their order. */
export function errorClasses(): readonly ErrorClass[] {
  const source = readFileSync(join(root, 'lib/contract/errors.ts'), 'utf8')
  const pattern = /\/\*\*((?:(?!\*\/).)*)\*\/\nexport class (\w+) extends (?:TsgiError|HttpError) \{(.*?)\n\}/gs
  return [...source.matchAll(pattern)].map(([, comment = '', name = '', body = '']) => ({
    name,
    code: /'(ERR_TSGI_\w+)'/.exec(body)?.[1] ?? '',
    meaning: comment.replaceAll(/\s*\n\s*\*\s*/g, ' ').trim(),
  }))
}

/** What each generated part holds, by its name. */
export const generators: Readonly<Record<string, () => string>> = {
  'http-order': () => orderTable(httpStates, httpOrder, httpExpected),
  'http2-options': () => optionRows(({ group }) => group === 'HTTP/2'),
  'websocket-order': () => orderTable(webSocketStates, webSocketOrder, webSocketExpected),
  'websocket-options': () => optionRows(({ group }) => group === 'WebSocket'),
  'tls-options': () => optionRows(({ group }) => group === 'TLS'),
  'lifespan-order': () => orderTable(lifespanStates, lifespanOrder, lifespanExpected),
  'options': () => groups().map((group) => `### ${group}\n\n${optionRows((option) => option.group === group)}`).join('\n\n'),
  'http1-limits': () => optionRows(({ group }) => group === 'Time limits' || group === 'Size limits'),
  'errors': () => table(['code', 'class', 'meaning'], errorClasses().map(({ code, name, meaning }) => [`\`${code}\``, `\`${name}\``, meaning])),
}

function orderTable<S extends string, E extends string>(
  states: Readonly<Record<S, string>>,
  order: Readonly<Record<S, Readonly<Record<E, OrderRule>>>>,
  expected: Readonly<Record<S, readonly E[]>>,
): string {
  const names = Object.keys(states) as S[]
  const [first] = names
  const events = first === undefined ? [] : Object.keys(order[first]) as E[]
  return table(['state', ...events.map((event) => `\`${event}\``), 'expected'], names.map((state) => [
    states[state],
    ...events.map((event) => order[state][event]),
    expected[state].map((event) => `\`${event}\``).join(', ') || '-',
  ]))
}

function groups(): readonly string[] {
  return [...new Set(optionTable.map((option) => option.group))]
}

function optionRows(wanted: (option: CommandOption) => boolean): string {
  return table(['flag', 'API key', 'default', 'meaning'], optionTable.filter(wanted).map((option) => [
    `\`${flagText(option)}\``,
    option.key === null ? '-' : `\`${option.key}\``,
    shownDefault(option),
    option.help,
  ]))
}

function shownDefault({ key, shownDefault: shown }: CommandOption): string {
  if (key === null) return shown || '-'
  const value: unknown = optionDefaults[key]
  if (value === undefined) return '-'
  return `\`${Array.isArray(value) ? `[${value.map((item) => `'${String(item)}'`).join(', ')}]` : typeof value === 'string' ? `'${value}'` : String(value)}\``
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(columns), `|${columns.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}
