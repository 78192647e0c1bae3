import { InvalidStack } from '../contract/errors.ts'
import type { Layer } from './layer.ts'
import type { Mode, Route } from './route.ts'

/** A layer and the mode in which it runs. */
export interface PlannedLayer {
  readonly layer: Layer
  readonly name: string
  readonly mode: Mode
}

/** Which layer runs in which mode. */
export interface Plan {
  /** The mode of who calls the stack: async for a tsgi application, sync for a WSGI-style one. */
  readonly home: Mode
  readonly layers: readonly PlannedLayer[]
  /** The mode of what is beneath the last layer: of routing, and of neutral views and hooks. */
  readonly inner: Mode
}

/**
 * Picks each layer's mode so that changes of mode are fewest; where that leaves a choice, it runs as the layer above it
 * does. Without threads nothing beneath a sync layer can be awaited. Throws `InvalidStack`.
 */
export function plan(home: Mode, layers: readonly Layer[], names: readonly string[], routes: readonly Route[], threads: boolean): Plan {
  layers.forEach((layer, index) => {
    if (!layer.syncCapable && !layer.asyncCapable) throw new InvalidStack(`${names[index]} can run in neither mode${neighbours(names, index)}: give it a sync or an async form`)
  })
  const modes = threads ? fewestChanges(home, layers, innermost(routes)) : withoutThreads(home, layers, names, routes)
  const planned = layers.map((layer, index) => ({ layer, name: names[index] ?? '', mode: modes[index] ?? home }))
  return { home, layers: planned, inner: planned.at(-1)?.mode ?? home }
}

/** The mode that all views have; null if they differ, or have either. */
function innermost(routes: readonly Route[]): Mode | null {
  const modes = new Set(routes.map(({ mode }) => mode))
  modes.delete(null)
  return modes.size === 1 ? [...modes][0] ?? null : null
}

function canRun(layer: Layer, mode: Mode): boolean {
  return mode === 'sync' ? layer.syncCapable : layer.asyncCapable
}

/** Costs are counted from the views up, then each layer takes the cheapest mode from the first one down. */
function fewestChanges(home: Mode, layers: readonly Layer[], views: Mode | null): Mode[] {
  const costs: Record<Mode, number>[] = []
  let beneath: Record<Mode, number> = { sync: views === 'async' ? 1 : 0, async: views === 'sync' ? 1 : 0 }
  for (const layer of [...layers].reverse()) {
    const cost = (mode: Mode): number => canRun(layer, mode) ? Math.min(beneath[mode], beneath[other(mode)] + 1) : Infinity
    beneath = { sync: cost('sync'), async: cost('async') }
    costs.unshift(beneath)
  }
  let above = home
  return costs.map((cost) => {
    if (cost[above] > cost[other(above)] + 1) above = other(above)
    return above
  })
}

function other(mode: Mode): Mode {
  return mode === 'sync' ? 'async' : 'sync'
}

/** Async until the first layer that blocks; from there on all has to be sync. */
function withoutThreads(home: Mode, layers: readonly Layer[], names: readonly string[], routes: readonly Route[]): Mode[] {
  let mode = home
  let blocking = home === 'sync' ? 'the sync mode' : ''
  const modes = layers.map((layer, index): Mode => {
    if (mode === 'async' && !layer.asyncCapable) {
      mode = 'sync'
      blocking = names[index] ?? ''
    }
    if (!canRun(layer, mode)) throw new InvalidStack(`${names[index]} is async beneath ${blocking}, which blocks${neighbours(names, index)}: give the stack its module (module: import.meta.url), so that sync layers run on threads, or move it above`)
    return mode
  })
  const view = routes.find((route) => route.mode === 'async')
  if (mode === 'sync' && view !== undefined) throw new InvalidStack(`the view of ${view.pattern} is async beneath ${blocking}, which blocks: give the stack its module (module: import.meta.url), so that sync layers run on threads, or make the view sync`)
  return modes
}

/** Where a layer is, for an error. */
export function neighbours(names: readonly string[], index: number): string {
  const above = names[index - 1]
  const beneath = names[index + 1]
  return ` (layer ${index + 1} of ${names.length}${above === undefined ? '' : `, after ${above}`}${beneath === undefined ? '' : `, before ${beneath}`})`
}
