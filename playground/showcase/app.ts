/** All examples behind one page: each mounted at its path, files that are read once at start, and an early hint. */
import { join } from 'node:path'
import { application, type Application } from 'tsgi'
import { mount } from 'tsgi/middleware'
import { readPageFiles, type PageFile } from '../page-files.ts'
import { examples, type Example } from './examples.ts'

const page: Application = application({
  lifespan: async function* () {
    // What is yielded is `scope.state` in every request; what stood after the `yield` would run when the server stops.
    yield { files: await readPage() }
  },

  http: async (scope, _receive, send) => {
    const path = scope.path.slice(scope.rootPath.length)
    const file = scope.state.files.get(path)
    const answer = async (status: number, type: string, body: string): Promise<void> => {
      await send({ type: 'http.response.start', status, headers: [['content-type', type], ['cache-control', 'no-cache']] })
      await send({ type: 'http.response.body', body })
    }
    if (file === undefined) return answer(404, 'text/plain; charset=utf-8', `Nothing is at ${path}, but there is:\n${['/', ...examples.map((example) => example.path)].join('\n')}\n`)
    if (path === '/' && 'http.response.early_hint' in scope.extensions) {
      // The browser may fetch these while the page is being made (a slow query, say). An extension is used only if it is there.
      await send({
        type: 'http.response.early_hint',
        links: [`<${scope.rootPath}/style.css>; rel=preload; as=style`, `<${scope.rootPath}/showcase.js>; rel=modulepreload`],
      })
    }
    await answer(200, file.type, file.body)
  },

  // The page itself has no WebSocket: to close one that was not accepted is to refuse it.
  websocket: (_scope, _receive, send) => send({ type: 'websocket.close' }),
})

// A part sees in `rootPath` where it is mounted; `path` stays whole, because it contains `rootPath`.
const app: Application = mount(Object.fromEntries(examples.map((example) => [example.path, example.application])), page)

/** The files of the page by path; the index with a card for each example. */
async function readPage(): Promise<ReadonlyMap<string, PageFile>> {
  const files = await readPageFiles(join(import.meta.dirname, 'page'))
  const index = files.get('/')
  if (index !== undefined) files.set('/', { ...index, body: index.body.replace('<!-- cards -->', () => examples.map(card).join('\n')) })
  return files
}

function card({ path, name, shows, source }: Example): string {
  return `<article class="card" data-path="${path}">
  <h2>${name}</h2>
  <a class="path" href=".${path}">${path}</a>
  <p>${shows}</p>
  <div class="try"></div>
  <p class="source">playground/${source}</p>
</article>`
}

export default app
