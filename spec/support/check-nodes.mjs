/**
 * Runs specs under several versions of Node, which come from the `node` package on npm.
 * `npm run check:nodes` runs the behaviour suite, the protocols, the server and the threads; names after `--` choose other specs.
 */
import { spawnSync } from 'node:child_process'

const versions = ['20', '22', '24', '26']
const wanted = process.argv.slice(2)
const specs = wanted.length > 0 ? wanted : ['behaviour', 'exchange', 'protocols', 'server', 'threads/']

const failed = []
for (const version of versions) {
  console.log(`\n== Node ${version}`)
  const node = ['--yes', '-p', `node@${version}`, 'node']
  const shown = spawnSync('npx', [...node, '--version'], { encoding: 'utf8' })
  if (shown.status !== 0 || !shown.stdout.startsWith(`v${version}.`)) {
    console.error(`Node ${version} cannot be had: ${shown.stderr.trim() || shown.stdout.trim()}`)
    failed.push(version)
    continue
  }
  console.log(shown.stdout.trim())
  const { status } = spawnSync('npx', [...node, '--conditions=source', '--import', 'tsx', 'spec/support/run.ts', ...specs], { stdio: 'inherit' })
  if (status !== 0) failed.push(version)
}
if (failed.length > 0) {
  console.error(`\nfailed under Node ${failed.join(', ')}`)
  process.exitCode = 1
}
