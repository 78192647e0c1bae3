import { optionTable, type CommandOption } from './option-table.ts'

/** The text of `--help`. */
export function helpText(): string {
  const lines = [
    'Usage: tsgi PATH[:EXPORT] [options]',
    '',
    'Serves the application that the module PATH exports (its default export, or EXPORT).',
    '',
    '  tsgi app.ts                     serve app.ts on http://127.0.0.1:8000',
    '  tsgi app.js:admin --port 9000   serve another export on another port',
    '  tsgi app.ts --reload            restart when a source file changes',
    '  tsgi legacy.js --interface wsgi serve a sync application, on threads',
    '  tsgi cgi app.ts                 answer one request, as a CGI program of another server',
  ]
  const width = Math.max(...optionTable.map((option) => flagText(option).length)) + 2
  let group = ''
  for (const option of optionTable) {
    if (option.group !== group) {
      group = option.group
      lines.push('', `${group}:`)
    }
    const shown = option.shownDefault === '' ? '' : ` (default: ${option.shownDefault})`
    lines.push(`  ${flagText(option).padEnd(width)}${option.help}${shown}`)
  }
  lines.push('', 'Times are in seconds, sizes in bytes, and 0 turns a limit off. Options that take a list may be repeated.')
  return lines.join('\n')
}

/** `--[no-]access-log`, `--port PORT`. */
export function flagText({ flag, kind, value, key }: CommandOption): string {
  if (kind.type !== 'boolean') return `--${flag} ${value}`
  return key === null ? `--${flag}` : `--[no-]${flag}`
}
