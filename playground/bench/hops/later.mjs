/** The function that awaits, as the event loop loads it. */
export async function addLater(a, b) {
  return a + b
}
