import { Clock, LATE } from './clock.js'

const find = (id) => document.getElementById(id)
const clock = new Clock('clock', (state) => { find('state').textContent = state })

function show() {
  const { time, since, largest } = clock
  if (time !== null) {
    find('time').textContent = `${time.toLocaleTimeString('en-GB')}.${Math.floor(time.getMilliseconds() / 100)}`
    find('since').textContent = `${since.toFixed(0)} ms`
    find('largest').textContent = `${largest.toFixed(0)} ms`
  }
  find('clock').classList.toggle('late', since > LATE)
  find('largest').classList.toggle('late', largest > LATE)
  clock.draw(find('strip'))
  requestAnimationFrame(show)
}
show()

find('reset').addEventListener('click', () => clock.forget())

for (const button of document.querySelectorAll('[data-job]')) {
  const { job, where, times = '1' } = button.dataset
  button.addEventListener('click', () => {
    for (let time = 0; time < Number(times); time++) void run(job, where)
  })
}

/** Starts a job and adds a line for it, which says in the end how it went. */
async function run(job, where) {
  const line = document.createElement('li')
  const details = document.createElement('small')
  line.append(`${job}Sync, ${where === 'loop' ? 'on the loop' : 'on a thread'}`, details)
  details.textContent = 'under way'
  find('none').hidden = true
  find('results').prepend(line)
  const began = performance.now()
  try {
    const response = await fetch(`${job}/${where}`, { method: 'POST' })
    if (!response.ok) throw new Error(await response.text())
    const { text, took, thread } = await response.json()
    const waited = Math.max(0, performance.now() - began - took)
    details.textContent = `${text}; thread ${thread}; blocked it for ${took.toFixed(0)} ms, waited ${waited.toFixed(0)} ms`
  } catch (error) {
    details.textContent = `failed: ${error.message}`
  }
}
