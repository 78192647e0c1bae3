import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Where servers and load clients run: on a processor each, or wherever the system puts them. */
export interface Processors {
  readonly server: number | null
  readonly client: number | null
}

/** Two of the processors that this process may use; nulls where `taskset` or a second processor is missing. */
export function findProcessors(): Processors {
  const [server, client] = allowedProcessors()
  const able = spawnSync('taskset', ['--version']).status === 0
  return able && server !== undefined && client !== undefined ? { server, client } : { server: null, client: null }
}

/** Says where servers and load clients run. */
export function pinningText({ server, client }: Processors): string {
  return server === null ? 'none' : `servers on processor ${server}, client on ${client}`
}

/** A command and its arguments, bound to `processor` if there is one. */
export function pinned(processor: number | null, command: string, args: readonly string[]): [string, string[]] {
  return processor === null ? [command, [...args]] : ['taskset', ['-c', String(processor), command, ...args]]
}

/** Reads a list such as `0-3,8`. */
function allowedProcessors(): number[] {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number)
    return Number.isNaN(first) ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}
