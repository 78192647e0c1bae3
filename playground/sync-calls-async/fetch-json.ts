/** Fetches JSON. It awaits, so it runs on the event loop. */
export async function fetchJson<T>(url: string): Promise<T> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return await response.json() as T
}
