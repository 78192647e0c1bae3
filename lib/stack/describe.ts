import type { LoadedStack } from './loaded.ts'
import type { Plan } from './plan.ts'
import type { Layer } from './layer.ts'
import type { Mode } from './route.ts'

/** The layers of a stack in a table, one a line, with the mode of each and the changes between them. */
export function describe(stack: LoadedStack, plan: Plan): string {
  const threads = stack.name !== null
  const rows: string[][] = []
  let mode: Mode = plan.home
  let hops = 0
  const enter = (next: Mode): string => {
    const change = next === mode ? '' : !threads ? 'inline' : next === 'sync' ? 'to a thread' : 'to the loop'
    if (next !== mode && threads) hops++
    mode = next
    return change
  }
  plan.layers.forEach(({ layer, name, mode: next }) => rows.push([name, kindOf(layer), next, enter(next)]))
  for (const { pattern, mode: own } of stack.routes) {
    const next = own ?? plan.inner
    rows.push([pattern, own ?? 'neutral', next, next === plan.inner ? '' : !threads ? 'inline' : next === 'sync' ? 'to a thread' : 'to the loop'])
  }
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0), 0))
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
  return [`called in ${plan.home} mode, ${hops} ${hops === 1 ? 'change' : 'changes'} of mode down to the views`, ...lines].join('\n')
}

function kindOf(layer: Layer): string {
  return layer.neutral !== null ? 'neutral' : layer.sync === null ? 'async' : layer.async === null ? 'sync' : 'dual'
}
