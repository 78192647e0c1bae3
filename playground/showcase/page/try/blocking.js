/** Runs a job while it listens to the clock, and says how long that was silent. */
export function tryOut(place, url) {
  place.innerHTML = `
    <div class="row"><button type="button" data-where="loop">Block the loop</button><button type="button" data-where="thread">Block a thread</button></div>
    <output aria-label="What became of the clock"></output>
    <span class="note">More on <a href="${url}/">its page</a>.</span>`
  const output = place.querySelector('output')
  for (const button of place.querySelectorAll('button')) button.addEventListener('click', () => run(button.dataset.where))

  async function run(where) {
    for (const button of place.querySelectorAll('button')) button.disabled = true
    // Only for the time of the job: a browser has few connections for one server.
    const clock = new EventSource(`${url}/clock`)
    let last = null
    let largest = 0
    clock.addEventListener('message', ({ timeStamp }) => {
      if (last !== null) largest = Math.max(largest, timeStamp - last)
      last = timeStamp
    })
    const tick = () => new Promise((done, fail) => {
      clock.addEventListener('message', done, { once: true })
      clock.addEventListener('error', () => fail(new Error('the clock cannot be heard')), { once: true })
    })
    try {
      await tick()
      output.value = 'scryptSync …'
      const response = await fetch(`${url}/scrypt/${where}`, { method: 'POST' })
      if (!response.ok) throw new Error(`${response.status}`)
      const { took, thread } = await response.json()
      await tick()
      output.value = `scryptSync took ${took.toFixed(0)} ms on thread ${thread}.\nThe clock was silent for ${largest.toFixed(0)} ms at most.`
    } catch (error) {
      output.value = `That failed: ${error.message}`
    }
    clock.close()
    for (const button of place.querySelectorAll('button')) button.disabled = false
  }
}
