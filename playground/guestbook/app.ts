/**
 * A guestbook as it was written when all code was sync: no promise, no `await`, a database that blocks, passwords that take
 * their time. It is `(environ, startResponse) => blocks` and knows nothing of an event loop. To start it:
 *
 *     npx tsgi playground/guestbook/app.ts --interface wsgi --threads 2
 *
 * Each thread loads its own copy of these modules, so what all must share is in the database: see database.ts.
 */
import { STATUS_CODES } from 'node:http'
import type { WsgiApplication } from 'tsgi/adapters/wsgi'
import { errorPage } from './pages.ts'
import { Request } from './request.ts'
import { HttpError, page, type Response } from './response.ts'
import { dispatch, type Route } from './router.ts'
import * as views from './views.ts'

const routes: readonly Route[] = [
  { path: '/', views: { GET: views.list } },
  { path: '/sign', views: { GET: views.signForm, POST: views.sign } },
  { path: '/entries/:id', views: { GET: views.entry } },
  { path: '/entries/:id/picture', views: { GET: views.picture, POST: views.addPicture } },
  { path: '/entries/:id/delete', views: { POST: views.remove } },
  { path: '/login', views: { GET: views.loginForm, POST: views.login } },
  { path: '/logout', views: { POST: views.logout } },
  { path: '/export.csv', views: { GET: views.exportCsv } },
  { path: '/style.css', views: { GET: views.style } },
]

const guestbook: WsgiApplication = (environ, startResponse) => {
  const request = new Request(environ)
  const { status, headers, body } = answer(request)
  startResponse(`${status} ${STATUS_CODES[status]}`, [
    ...headers,
    ...request.session.cookies.map((cookie) => ['set-cookie', cookie] as const),
    ['x-content-type-options', 'nosniff'],
    ['content-security-policy', 'default-src \'none\'; style-src \'self\'; img-src \'self\' data:; form-action \'self\'; base-uri \'none\'; frame-ancestors \'self\''],
  ])
  if (request.method !== 'HEAD') return body
  if (typeof body === 'object' && 'close' in body) body.close?.()
  return []
}

/** What a view answers; what it refuses by a throw becomes a page too. Anything else that is thrown is the server's: it logs it. */
function answer(request: Request): Response {
  try {
    return dispatch(routes, request)
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    return page(errorPage(request, error.status, error.message), error.status, error.headers)
  }
}

export default guestbook
