/** Ends the thread that loads it, before it is loaded. */
setTimeout(() => {
  throw new Error('while it was loading')
}, 1)
await new Promise((resolve) => setTimeout(resolve, 10_000))

export function never(): void {}
