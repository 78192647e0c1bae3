/** The pages. Views that ask the database block: they are sync, and run on threads. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { NotFound, PermissionDenied } from 'tsgi'
import {
  either, HttpResponse, TemplateResponse,
  type AsyncHttpRequest, type HttpRequest, type Neutral, type NeutralHttpRequest, type Params, type SyncHttpRequest, type Template,
} from 'tsgi/stack'
import { onThreads } from 'tsgi/threads'
import { flash, logIn, logOut, userOf } from './account.ts'
import { csvRow } from '../guestbook/csv.ts'
import { pictures } from './data.ts'
import { draftOf, pictureEnding, troublesOf } from './forms.ts'
import { addPost, changePost, everyPost, findPost, listPosts, type Post } from './posts.ts'
import { methodOf, numberOf, urlOf } from './requests.ts'
import * as templates from './templates.ts'
import { checkUser } from './users.ts'

const model = onThreads<typeof import('./posts.ts')>(new URL('./posts.js', import.meta.url))

/** A page; the layer `account` adds what all pages show before it is rendered. */
function page<C>(template: Template<C>, context: C, status = 200): HttpResponse {
  return new TemplateResponse(template, context, { status, headers: { 'cache-control': 'private, no-cache' } })
}

/** Sends the browser to another page, by GET. */
function seeOther(request: HttpRequest, path: string): HttpResponse {
  return HttpResponse.redirect(urlOf(request, path), 303)
}

export function* home(request: NeutralHttpRequest): Neutral<HttpResponse> {
  return HttpResponse.redirect(urlOf(request, '/posts'))
}

/** The list, the newest first: `?page=` turns the pages. */
export function list(request: SyncHttpRequest): HttpResponse {
  methodOf(request, ['GET'])
  const listed = listPosts(numberOf(request.query.get('page') ?? '1'))
  if (listed === null) throw new NotFound('there is no such page')
  return page(templates.listPage, listed)
}

export function detail(request: SyncHttpRequest, { id = '' }: Params): HttpResponse {
  methodOf(request, ['GET'])
  return page(templates.postPage, { post: existing(findPost(numberOf(id))) })
}

/** The form for a new note; sent, it adds the note, or comes back with what is wrong. */
export function create(request: SyncHttpRequest): HttpResponse {
  if (methodOf(request, ['GET', 'POST']) === 'GET') return page(templates.draftPage, { id: null, draft: { title: '', body: '' }, troubles: null })
  const form = request.form()
  const draft = draftOf((name) => form.get(name))
  const troubles = troublesOf(draft)
  if (troubles !== null) return page(templates.draftPage, { id: null, draft, troubles }, 422)
  const id = addPost(draft, userOf(request)?.id ?? 0)
  flash(request, 'Your note is in the log. You may add a picture below.')
  return seeOther(request, `/posts/${id}`)
}

export function edit(request: SyncHttpRequest, { id = '' }: Params): HttpResponse {
  const method = methodOf(request, ['GET', 'POST'])
  const post = own(request, existing(findPost(numberOf(id))))
  if (method === 'GET') return page(templates.draftPage, { id: post.id, draft: post, troubles: null })
  const form = request.form()
  const draft = draftOf((name) => form.get(name))
  const troubles = troublesOf(draft)
  if (troubles !== null) return page(templates.draftPage, { id: post.id, draft, troubles }, 422)
  changePost(post.id, draft)
  flash(request, 'The note is saved.')
  return seeOther(request, `/posts/${post.id}`)
}

/** Takes a picture: an async view, since the form may come slowly, and is written to the disk meanwhile. */
export async function addPicture(request: AsyncHttpRequest, { id = '' }: Params): Promise<HttpResponse> {
  methodOf(request, ['POST'])
  const post = own(request, existing(await model.findPost(numberOf(id))))
  const form = await request.form()
  const file = form.file('picture')
  if (file === undefined || file.size === 0) return page(templates.postPage, { post, trouble: 'Please choose a picture.' }, 422)
  const ending = pictureEnding(await file.bytes())
  if (ending === null) return page(templates.postPage, { post, trouble: 'This file is no picture: a PNG, a JPEG, a GIF or a WebP is.' }, 415)
  const name = `${randomUUID()}.${ending}`
  await file.saveTo(join(pictures, name))
  await model.setPicture(post.id, name, (form.get('alt') ?? '').trim().slice(0, 200))
  if (post.picture !== null) await rm(join(pictures, post.picture), { force: true })
  flash(request, 'The picture is in the log.')
  return seeOther(request, `/posts/${post.id}`)
}

/** A picture. One of its name never changes. */
export function* picture(request: NeutralHttpRequest, { name = '' }: Params): Neutral<HttpResponse> {
  methodOf(request, ['GET'])
  if (!/^[\w-]+\.\w+$/.test(name)) throw new NotFound('no picture has such a name')
  return HttpResponse.file(join(pictures, name), { headers: { 'cache-control': 'public, max-age=31536000, immutable' } })
}

/** Logs somebody in. The thread blocks while the password is hashed. */
export function login(request: SyncHttpRequest): HttpResponse {
  if (methodOf(request, ['GET', 'POST']) === 'GET') return page(templates.loginPage, { name: '', next: request.query.get('next') ?? '' })
  const form = request.form()
  const [name, next] = [form.get('name') ?? '', form.get('next') ?? '']
  const user = checkUser(name, form.get('password') ?? '')
  if (user === null) return page(templates.loginPage, { name, next, trouble: 'That is not the name, or not the password.' }, 422)
  logIn(request, user)
  flash(request, `Good to see you, ${user.name}.`)
  // Only to pages of this site: `//` and `/\` are others.
  return seeOther(request, /^\/(?![/\\])[\x21-\x7e]*$/.test(next) ? next : '/posts')
}

export function* logout(request: NeutralHttpRequest): Neutral<HttpResponse> {
  methodOf(request, ['POST'])
  logOut(request)
  flash(request, 'You are logged out.')
  return seeOther(request, '/posts')
}

export function* about(request: NeutralHttpRequest): Neutral<HttpResponse> {
  methodOf(request, ['GET'])
  return page(templates.aboutPage, {})
}

/** All notes as a table, each sent as it comes from the database. */
export function report(request: SyncHttpRequest): HttpResponse {
  methodOf(request, ['GET'])
  const headers = { 'content-disposition': 'attachment; filename="plot-9.csv"', 'cache-control': 'no-store' }
  return new HttpResponse(rows(), { contentType: 'text/csv; charset=utf-8; header=present', headers })
}

function* rows(): Generator<string, void, void> {
  yield csvRow(['id', 'day', 'author', 'title', 'note'])
  for (const { id, day, name, title, body } of everyPost()) yield csvRow([id, day, name, title, body])
}

/** Shows what becomes of an error that nobody has thought of. */
export function boom(_request: SyncHttpRequest): HttpResponse {
  throw new Error('the shed has collapsed')
}

const types: Readonly<Record<string, string>> = { 'style.css': 'text/css; charset=utf-8', 'icon.svg': 'image/svg+xml' }

/** A file of the pages: neutral code that reads in the way of the mode it runs in. */
export function* staticFile(request: NeutralHttpRequest, { name = '' }: Params): Neutral<HttpResponse> {
  methodOf(request, ['GET'])
  const contentType = Object.hasOwn(types, name) ? types[name] : undefined
  if (contentType === undefined) throw new NotFound('there is no such file')
  const path = join(import.meta.dirname, 'page', name)
  const content = yield* either<Uint8Array>(() => readFileSync(path), () => readFile(path))
  return new HttpResponse(content, { contentType, headers: { 'cache-control': 'no-cache' } })
}

function existing(post: Post | null): Post {
  if (post === null) throw new NotFound('there is no such note')
  return post
}

function own(request: HttpRequest, post: Post): Post {
  if (userOf(request)?.id !== post.author) throw new PermissionDenied('this is the note of somebody else')
  return post
}
