/** Hops of tsgi: see ../harness/hop-program.ts for what it is asked and what it answers. */
import { createInterface } from 'node:readline'
import { syncToAsync } from 'tsgi/threads'

const hop = (name) => syncToAsync(new URL(`./functions.mjs#${name}`, import.meta.url))
const calls = { hop: hop('add'), nested: hop('addOnLoop') }

async function measure({ call: name, inFlight, seconds }) {
  const call = calls[name]
  const end = performance.now() + seconds * 1000
  let hops = 0
  const drive = async () => {
    while (performance.now() < end) {
      const number = hops++
      if (await call(number, 1) !== number + 1) throw new Error(`${name} gave a wrong result`)
    }
  }
  const cpu = process.cpuUsage()
  const began = performance.now()
  await Promise.all(Array.from({ length: inFlight }, drive))
  const wall = (performance.now() - began) * 1000
  const { user, system } = process.cpuUsage(cpu)
  return { hops, wall, cpu: user + system }
}

console.log('"ready"')
for await (const line of createInterface(process.stdin)) console.log(JSON.stringify(await measure(JSON.parse(line))))
