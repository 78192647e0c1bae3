export { fromNode, type FromNodeOptions, type NodeTarget, type UpgradeListener } from './from-node.ts'
export { toNode, type NodeMount, type ToNodeOptions } from './to-node.ts'
export { nodeListener } from './listener.ts'
export type { NodeListener } from './node-exchange.ts'
