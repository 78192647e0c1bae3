/** A repository of git, served by git's own CGI program: clone it, and push to it. */
import { join } from 'node:path'
import { application, type Application, type Receive, type Send } from 'tsgi'
import { fromCgi } from 'tsgi/adapters/cgi'
import { git, hasGit, makeRepositories, removeRepositories } from './repository.ts'

/** Whether it can run here. */
export const installed: boolean = hasGit()

const backend: Application | null = !installed ? null : fromCgi('git', {
  args: ['http-backend'],
  env: (scope) => ({ GIT_PROJECT_ROOT: String(scope.state['folder']), GIT_HTTP_EXPORT_ALL: '1' }),
})

const app: Application = application({
  lifespan: async function* () {
    const folder = installed ? await makeRepositories() : ''
    yield { folder }
    if (folder !== '') await removeRepositories(folder)
  },

  http: async (scope, receive, send) => {
    const path = scope.path.slice(scope.rootPath.length)
    if (backend !== null && path.startsWith('/playground.git/')) return backend(scope, receive as Receive, send as Send)
    const answer = async (status: number, type: string, body: string): Promise<void> => {
      await send({ type: 'http.response.start', status, headers: [['content-type', `${type}; charset=utf-8`]] })
      await send({ type: 'http.response.body', body })
    }
    if (backend === null) return answer(501, 'text/plain', 'git is not installed here.\n')
    if (path !== '' && path !== '/') return answer(404, 'text/plain', 'There is /playground.git.\n')
    const url = `${scope.scheme}://${scope.headers.get('host') ?? 'localhost'}${scope.rootPath}/playground.git`
    const log = await git(join(scope.state.folder, 'playground.git'), ['log', '--format=%h %an: %s', '-20', 'main', '--'])
    await answer(200, 'text/html', page(escaped(url), escaped(log)))
  },
})

function page(url: string, log: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Git</title>
<h1>Git</h1>
<p>Clone, change, push:</p>
<pre>git clone ${url}
cd playground
echo "I was here" >> README.md
git commit --all --message "Say hello"
git push</pre>
<p>Then reload. The branch <code>main</code> has:</p>
<pre>${log}</pre>
<p>The repository is made when the server starts, and removed when it stops. Everybody who can reach it may push.</p>
`
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`)
}

export default app
