import { spawnSync } from 'node:child_process'
import { cpuRounds } from '../harness/cpu-rounds.ts'
import { checkHello } from '../harness/hello.ts'
import { hopRounds, type HopTable } from '../harness/hop-rounds.ts'
import { httpClient, loadHttp } from '../harness/load.ts'
import { UsageError } from '../harness/options.ts'
import type { Report } from '../harness/report.ts'
import { versionOf } from '../harness/versions.ts'
import type { Bench, Contestant, Workload } from '../harness/workload.ts'
import { tsgiAsync, tsgiWsgiInline, tsgiWsgiThreads, uvicornWsgi } from '../servers/index.ts'

/** Debian's, for its asgiref and uvicorn. */
const PYTHON = '/usr/bin/python3'
const MANY = 16
const CONNECTIONS = 64

const asgiref: Contestant = { name: 'asgiref', program: new URL('../hops/with-asgiref.py', import.meta.url), command: PYTHON }
const tsgi: Contestant = { name: 'tsgi', program: new URL('../hops/with-tsgi.mjs', import.meta.url), package: 'tsgi' }
const servers: readonly Contestant[] = [uvicornWsgi, tsgiWsgiThreads, tsgiWsgiInline, tsgiAsync]

/** The way from the event loop to a thread and back, and sync applications that are served. */
export const workload: Workload = {
  description: 'a hop to a thread and back: wall time, beside Python\'s asgiref; a WSGI hello world: CPU time, beside uvicorn',
  contestants: [asgiref, tsgi, ...servers],
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
    'CPU us/request  user and system time of all threads of the server process per request; median of the rounds',
    'of uvicorn      that time as a share of what uvicorn --interface wsgi takes in the same round; of async, of what an',
    '                async application on tsgi takes; medians',
    'wsgi-threads    a sync application on threads; wsgi-inline, the same on the event loop',
    'No program is bound to a processor: the loop and its threads run where the system puts them, as they do for users.',
  ],
  conditions: (options) => {
    const found = asgirefVersions()
    if (found === null) throw new UsageError(`${PYTHON} has no asgiref to compare with; on Debian: apt-get install python3-asgiref`)
    return { seconds: options.seconds, client: httpClient(options.client), ...found, ...uvicornVersions() ?? { uvicorn: 'none' } }
  },
  async *run(bench) {
    yield* hops(bench)
    const report = await hellos(bench)
    if (report !== null) yield report
  },
}

/** Measures the hops; `nodeOptions` are those of Node for tsgi's program. */
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
  return hopRounds({ ...bench, contestants: bench.contestants.filter((contestant) => !servers.includes(contestant)) }, tables, nodeOptions)
}

/**
 * Measures the sync applications that are served; null where none of them takes part. uvicorn is left out where it is
 * missing, and the table says so.
 */
export async function hellos(bench: Bench, nodeOptions: readonly string[] = []): Promise<Report | null> {
  const versions = uvicornVersions()
  const wanted = bench.contestants.filter((contestant) => servers.includes(contestant))
  const contestants = wanted.flatMap((contestant) => contestant !== uvicornWsgi ? [contestant] : versions === null ? [] : [{ ...contestant, version: versions.uvicorn }])
  const references = [uvicornWsgi, tsgiAsync].map(({ name }) => name).filter((name) => contestants.some((contestant) => contestant.name === name))
  const [control = contestants[0]?.name, also] = references
  if (control === undefined) return null
  const client = httpClient(bench.options.client)
  const report = await cpuRounds({ ...bench, contestants, processors: { server: null, client: null } }, {
    title: `hello world over HTTP/1.1, ${CONNECTIONS} keep-alive connections, sync applications`,
    unit: 'request',
    control,
    ...also === undefined ? {} : { also },
    args: [],
    nodeOptions,
    check: checkHello,
    load: ({ url }, seconds, started) => loadHttp({ client, url, started, connections: CONNECTIONS, seconds, fields: {}, processor: null }),
  })
  if (versions !== null || !wanted.includes(uvicornWsgi)) return report
  return { ...report, remark: `${report.remark ?? ''}\n  ${PYTHON} has no uvicorn to compare with; on Debian: apt-get install python3-uvicorn python3-uvloop python3-httptools`.trim() }
}

/** The versions of asgiref and of the Python that has it; null if it is missing. */
function asgirefVersions(): { readonly asgiref: string; readonly python: string } | null {
  const [asgiref, python] = printed('import asgiref.sync, platform; print(asgiref.__version__, platform.python_version())')
  return asgiref === undefined || python === undefined ? null : { asgiref, python }
}

/** The versions of uvicorn and of what makes it fast; null if one is missing. */
function uvicornVersions(): { readonly uvicorn: string; readonly uvloop: string; readonly httptools: string } | null {
  const [uvicorn, uvloop, httptools] = printed('import uvicorn, uvloop, httptools; print(uvicorn.__version__, uvloop.__version__, httptools.__version__)')
  return uvicorn === undefined || uvloop === undefined || httptools === undefined ? null : { uvicorn, uvloop, httptools }
}

/** The words that a program of Python prints; none where it fails. */
function printed(code: string): readonly string[] {
  const { status, stdout } = spawnSync(PYTHON, ['-c', code], { encoding: 'utf8' })
  return status === 0 ? stdout.trim().split(' ') : []
}
