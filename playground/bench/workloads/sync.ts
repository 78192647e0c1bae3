import { spawnSync } from 'node:child_process'
import { hopRounds, type HopTable } from '../harness/hop-rounds.ts'
import { UsageError } from '../harness/options.ts'
import type { Report } from '../harness/report.ts'
import { versionOf } from '../harness/versions.ts'
import type { Bench, Contestant, Workload } from '../harness/workload.ts'

/** Debian's, for its asgiref. */
const PYTHON = '/usr/bin/python3'
const MANY = 16

const asgiref: Contestant = { name: 'asgiref', program: new URL('../hops/with-asgiref.py', import.meta.url), command: PYTHON }
const tsgi: Contestant = { name: 'tsgi', program: new URL('../hops/with-tsgi.mjs', import.meta.url), package: 'tsgi' }

/** The way from the event loop to a thread and back. */
export const workload: Workload = {
  description: 'a hop from the event loop to a thread and back: wall time per hop, beside Python\'s asgiref',
  contestants: [asgiref, tsgi],
  control: asgiref.name,
  legend: [
    'us/hop          wall time per hop there and back of a function that adds two numbers; median of the rounds',
    'of asgiref      that time as a share of what asgiref takes in the same round: lower is better; median of the rounds,',
    '                then the lowest and the highest of them',
    'CPU us/hop      user and system time of all threads of the process per hop',
    'one at a time   the next hop begins when one is back: syncToAsync, and sync_to_async as it is by default',
    'in flight       so many hops are under way, each followed by the next one: the time of all, divided by their number',
    'nested          async, sync on a thread, async on the loop, and all the way back: syncToAsync and asyncToSync,',
    '                sync_to_async and async_to_sync',
    'asgiref, pool   sync_to_async(thread_sensitive=False): many threads in place of one; the faster of both is what tsgi',
    '                is compared with',
    'No program is bound to a processor: the loop and its threads run where the system puts them, as they do for users.',
  ],
  conditions: (options) => {
    if (options.client !== null) throw new UsageError('this workload has no load client; leave --client out')
    const found = asgirefVersions()
    if (found === null) throw new UsageError(`${PYTHON} has no asgiref to compare with; on Debian: apt-get install python3-asgiref`)
    return { seconds: options.seconds, ...found }
  },
  run: (bench) => hops(bench),
}

/** Runs the workload; `nodeOptions` are those of Node for tsgi's program. */
export function hops(bench: Bench, nodeOptions: readonly string[] = []): AsyncGenerator<Report> {
  const theirs = { name: 'asgiref', contestant: asgiref, version: asgirefVersions()?.asgiref ?? null, control: true }
  const ours = { name: 'tsgi', contestant: tsgi, version: versionOf(tsgi), control: false }
  const tables: readonly HopTable[] = [
    { title: 'one at a time', inFlight: 1, rows: [{ ...theirs, call: 'hop' }, { ...ours, call: 'hop' }] },
    {
      title: `${MANY} in flight`,
      inFlight: MANY,
      rows: [{ ...theirs, call: 'hop' }, { ...theirs, name: 'asgiref, pool', call: 'pool' }, { ...ours, call: 'hop' }],
    },
    { title: 'nested', inFlight: 1, rows: [{ ...theirs, call: 'nested' }, { ...ours, call: 'nested' }] },
  ]
  return hopRounds(bench, tables, nodeOptions)
}

/** The versions of asgiref and of the Python that has it; null if it is missing. */
function asgirefVersions(): { readonly asgiref: string; readonly python: string } | null {
  const code = 'import asgiref.sync, platform; print(asgiref.__version__, platform.python_version())'
  const { status, stdout } = spawnSync(PYTHON, ['-c', code], { encoding: 'utf8' })
  const [version, python] = status === 0 ? stdout.trim().split(' ') : []
  return version === undefined || python === undefined ? null : { asgiref: version, python }
}
