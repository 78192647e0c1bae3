/** Takes a file as the raw body of a request, of any size up to a limit, and answers its size and SHA-256. */
import { createHash } from 'node:crypto'
import { application, bodyChunks, type Application, type HeaderPair } from 'tsgi'

/** The application; `limit` is in bytes. */
export function uploads(limit: number = 2 ** 30): Application {
  return application({
    http: async (scope, receive, send) => {
      const answer = async (status: number, type: string, body: string, ...headers: HeaderPair[]): Promise<void> => {
        await send({ type: 'http.response.start', status, headers: [['content-type', `${type}; charset=utf-8`], ...headers] })
        await send({ type: 'http.response.body', body })
      }
      const tooLarge = (): Promise<void> => answer(413, 'text/plain', `The limit is ${limit} bytes.\n`)

      if (scope.method === 'GET' || scope.method === 'HEAD') return answer(200, 'text/html', page)
      if (scope.method !== 'POST' && scope.method !== 'PUT') return answer(405, 'text/plain', 'POST or PUT a file.\n', ['allow', 'GET, HEAD, POST, PUT'])

      // Answering before the body is read refuses it early: a client that asked with `Expect: 100-continue` sends none of it.
      if (Number(scope.headers.get('content-length') ?? 0) > limit) return tooLarge()
      const hash = createHash('sha256')
      let size = 0
      // The client is held back while the loop is busy, so no more than a few parts are ever in memory.
      for await (const chunk of bodyChunks(receive)) {
        size += chunk.length
        if (size > limit) return tooLarge()
        hash.update(chunk)
      }
      await answer(200, 'application/json', JSON.stringify({ size, sha256: hash.digest('hex') }) + '\n')
    },
  })
}

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Upload</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
  body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
  progress { width: 100% }
  output { display: block; white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, monospace }
</style>
<h1>Upload</h1>
<p>The file goes out as it is, as the body of one POST. By hand: <code>curl -T some-file</code> and this page's address.</p>
<form>
  <p><input type="file" name="file" required> <button>Upload</button></p>
  <p><progress value="0" max="1"></progress></p>
  <output></output>
</form>
<script type="module">
  const form = document.querySelector('form')
  const [bar, output] = form.querySelectorAll('progress, output')
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    // Not fetch: only XMLHttpRequest tells how much of a body has gone out.
    const request = new XMLHttpRequest()
    request.upload.onprogress = ({ loaded, total }) => { bar.value = loaded / total }
    request.onload = () => { output.value = request.responseText }
    request.onerror = () => { output.value = 'The connection broke.' }
    request.open('POST', location.href)
    request.send(form.elements.file.files[0])
  })
</script>
</html>
`

const app: Application = uploads()

export default app
