/** An exception in each layer of the site, before and after its work, is a page of status 500, the same in both modes. */
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { LAYERS, normal, ranTo } from './site-answers.ts'
import { startBoth, Visitor } from './site-driver.ts'

const test = suite('playground site with layers that fail')

test('an exception in each layer is the site’s own page for 500, with what the layers above add, and is logged once', async (t) => {
  const sites = await startBoth(t, 'spec/playground/site-faulty')
  const layers = LAYERS.flat()
  const views = [['/posts/1', '/posts/:id'], ['/api/posts/1', '/api/posts/:id'], ['/about', '/about'], ['/report.csv', '/report.csv']] as const
  for (const [index, layer] of layers.entries()) {
    for (const fault of [layer, `${layer} late`]) {
      const [path, view] = views[index % views.length] ?? ['', '']
      const [here, there] = await Promise.all(sites.map(async (site) => {
        const answer = await new Visitor(site).ask({ path, headers: { 'x-fault': fault } })
        return { answer, text: normal(path, answer), ran: answer.field('x-ran-on')?.replace(/thread [1-9]\d*/g, 'thread') }
      }))
      assert.ok(here !== undefined && there !== undefined)
      assert.is(here.answer.status, 500, fault)
      assert.match(here.text, /<h1>Something broke<\/h1>|"error":"Something broke"/, fault)
      assert.is(there.text, here.text, fault)
      // What is above has done its work on the page, what is beneath has not, or nobody sees it.
      assert.is(here.answer.field('content-security-policy') !== null, index > layers.indexOf('securityHeaders'), fault)
      assert.is(here.answer.field('x-request-id') !== null, index > layers.indexOf('requestId'), fault)
      const reached = fault === layer ? layer : view
      assert.equal([here.ran, there.ran], [ranTo('async', reached), ranTo('sync', reached)], fault)
    }
  }
  for (const site of sites) {
    assert.is((await new Visitor(site).ask({ path: '/posts' })).status, 200)
    await site.output(new RegExp(`Error: the layer ${layers.at(-1)} late has failed`), 'stderr')
    for (const fault of layers.flatMap((layer) => [layer, `${layer} late`])) {
      assert.is(site.stderr.split(`Error: the layer ${fault} has failed`).length, 2, `${site.mode} ${fault}`)
    }
  }
}, 60)

test.run()
