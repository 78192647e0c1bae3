/** The JSON interface: async views. What they ask of the database blocks, so they have it done on a thread. */
import { HttpError, NotFound } from 'tsgi'
import { HttpResponse, type AsyncHttpRequest, type Params } from 'tsgi/stack'
import { onThreads } from 'tsgi/threads'
import { userOf } from './account.ts'
import { draftOf, troublesOf } from './forms.ts'
import type { Post } from './posts.ts'
import { methodOf, numberOf, urlOf } from './requests.ts'

const model = onThreads<typeof import('./posts.ts')>(new URL('./posts.js', import.meta.url))

/** The list, page by page; or a new post. */
export async function posts(request: AsyncHttpRequest): Promise<HttpResponse> {
  return methodOf(request, ['GET', 'POST']) === 'GET' ? listed(request) : added(request)
}

async function listed(request: AsyncHttpRequest): Promise<HttpResponse> {
  const found = await model.listPosts(numberOf(request.query.get('page') ?? '1'))
  if (found === null) throw new NotFound('there is no such page')
  const { posts, total, page, pages } = found
  return HttpResponse.json({ total, page, pages, posts: posts.map((post) => shown(request, post)) }, { headers: CACHE })
}

async function added(request: AsyncHttpRequest): Promise<HttpResponse> {
  const user = userOf(request)
  if (user === null) return HttpResponse.json({ error: 'log in first' }, { status: 401, headers: { 'www-authenticate': 'Session realm="Plot 9"' } })
  if (request.contentType !== 'application/json') throw new HttpError(415, 'a post is JSON')
  const given: unknown = await request.json()
  if (typeof given !== 'object' || given === null) return HttpResponse.json({ error: 'a post is an object' }, { status: 422 })
  const draft = draftOf((name) => (given as Readonly<Record<string, unknown>>)[name])
  const troubles = troublesOf(draft)
  if (troubles !== null) return HttpResponse.json({ errors: troubles }, { status: 422 })
  const post = await model.findPost(await model.addPost(draft, user.id))
  if (post === null) throw new NotFound('it is gone already')
  return HttpResponse.json(shown(request, post), { status: 201, headers: { location: urlOf(request, `/api/posts/${post.id}`) } })
}

export async function post(request: AsyncHttpRequest, { id = '' }: Params): Promise<HttpResponse> {
  methodOf(request, ['GET'])
  const found = await model.findPost(numberOf(id))
  if (found === null) throw new NotFound('there is no such post')
  return HttpResponse.json(shown(request, found), { headers: CACHE })
}

/** All posts, one a line, page by page while the client takes them. */
export async function everyPost(request: AsyncHttpRequest): Promise<HttpResponse> {
  methodOf(request, ['GET'])
  return new HttpResponse(lines(request), { contentType: 'application/x-ndjson' })
}

async function* lines(request: AsyncHttpRequest): AsyncGenerator<string, void, void> {
  for (let page = 1, pages = 1; page <= pages; page++) {
    const found = await model.listPosts(page)
    if (found === null) return
    pages = found.pages
    for (const post of found.posts) yield `${JSON.stringify(shown(request, post))}\n`
  }
}

const CACHE = { 'cache-control': 'no-cache' }

/** A post as others see it. */
function shown(request: AsyncHttpRequest, { id, title, body, name, day, picture, alt }: Post): object {
  return { id, title, body, author: name, day, url: urlOf(request, `/posts/${id}`), picture: picture === null ? null : { url: urlOf(request, `/pictures/${picture}`), alt } }
}
