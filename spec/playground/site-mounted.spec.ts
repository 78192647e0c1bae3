/** The site beneath a path, by itself and in the showcase. */
import * as assert from 'uvu/assert'
import { serveCommand, tempFolder } from '../support/command.ts'
import { suite } from '../support/suite.ts'
import { modes, startSite, Visitor } from './site-driver.ts'

const test = suite('playground site, mounted')

test('beneath a root path every link, form and redirect stays beneath it, in both modes', async (t) => {
  const root = '/garden~9/log'
  const sites = await Promise.all(modes.map((mode) => startSite(t, mode, undefined, {}, ['--root-path', root])))
  for (const site of sites) {
    const visitor = new Visitor(site)
    await visitor.ask({ path: '/login' })
    const answers = [
      await visitor.ask({ path: '/posts/?a=%2F' }),
      await visitor.ask({ path: '/posts/new', cookie: '' }),
      await visitor.ask({ path: '/login', form: { name: 'ada', password: 'compost' } }),
      await visitor.ask({ path: '/posts/new' }).then(() => visitor.ask({ path: '/api/posts', json: { title: 'a', body: 'b' } })),
    ]
    for (const answer of answers) assert.ok(answer.field('location')?.startsWith(`${root}/`), `${answer.status} ${answer.field('location')}`)
    for (const path of ['/posts', '/posts/14', '/posts/new', '/about', '/missing']) {
      const { body } = await visitor.ask({ path })
      const links = [...body.toString().matchAll(/(?:href|src|action)="([^"#]+)"/g)].map(([, link = '']) => link)
      assert.ok(links.length > 5, path)
      assert.equal(links.filter((link) => !link.startsWith(`${root}/`)), [], `${site.mode} ${path}`)
    }
  }
}, 40)

test('the showcase has it beneath /site', async (t) => {
  const showcase = await serveCommand(t, [], { env: { SITE_DATA: tempFolder(t).path } })
  const response = await fetch(`${showcase.url}/site`)
  assert.equal([response.status, response.url], [200, `${showcase.url}/site/posts`])
  assert.match(await response.text(), /href="\/site\/posts\/13"/)
  assert.is((await fetch(`${showcase.url}/site/static/style.css`)).status, 200)
  assert.match(await (await fetch(showcase.url)).text(), /data-path="\/site"/)
}, 40)

test.run()
