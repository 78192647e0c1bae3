/** The layers: ready-made ones with what this site tells them, and its own, one of each kind. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { async, HttpResponse, neutral, pass, sync, type Layer, type View } from 'tsgi/stack'
import * as ready from 'tsgi/stack/middleware'
import { takeFlash, userOf } from './account.ts'
import { folder, secret } from './data.ts'
import { errorResponse } from './errors.ts'
import { rootOf, urlOf } from './requests.ts'
import type { Site } from './templates.ts'
import { findUser } from './users.ts'
import * as views from './views.ts'

/** Pages load from here alone: one style sheet, pictures, and no script. */
export const security = (): Layer => ready.securityHeaders({
  contentSecurityPolicy: "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
})

export const hosts = (): Layer => ready.trustedHosts((process.env['SITE_HOSTS'] ?? 'localhost,.localhost,127.0.0.1,[::1]').split(','))

/** The JSON interface may be read by pages of all origins, without cookies. */
export const cors = (): Layer => ready.cors({ origins: (_origin, { pathInfo }) => pathInfo.startsWith('/api/'), maxAge: 600 })

/** A form with a picture is the most that comes. */
export const bodyLimit = (): Layer => ready.bodyLimit(3 * 2 ** 20)

/** So many tries to log in, for each address. */
export const loginRate = (): Layer => ready.rateLimit({
  limit: 10,
  window: 300,
  name: 'login',
  key: (request) => request.pathInfo === '/login' && request.method === 'POST' ? ready.clientKey(request) : null,
  response: (request) => errorResponse(request, 429),
})

export const sessions = (): Layer => ready.sessions({ keys: secret, cookie: 'plot9' })

export const csrf = (): Layer => ready.csrf()

/** Closes the site while there is a file `closed` in its folder. An async layer: it awaits the file system. */
export const closing: Layer = async(async (request, next) => {
  const closed = await access(join(folder, 'closed')).then(() => true, () => false)
  return closed ? errorResponse(request, 503, { 'retry-after': '300' }) : next(request)
}, 'closing')

/** Sends `/posts/` to `/posts`, and the address that the site is mounted at to its first page. A neutral layer: it runs where its neighbours do. */
export const slashes: Layer = neutral(function* slashes(request) {
  const { pathInfo, method, queryString } = request
  // `//` is the beginning of another host.
  if ((method !== 'GET' && method !== 'HEAD') || !/^(?:|\/(?!\/).+\/)$/s.test(pathInfo)) return yield* pass(request)
  const path = pathInfo.split('/').map(encodeURIComponent).join('/').replace(/\/+$/, '')
  return HttpResponse.redirect(urlOf(request, (path || '/') + (queryString === '' ? '' : `?${queryString}`)), 308)
})

/** Looks up who asks. A sync layer: it asks the database, and so runs on a thread. */
export const visitor: Layer = sync((request, next) => {
  // Who looks at the session has all caches know that the answer depends on it.
  if (/^\/(?:static|pictures)\//.test(request.pathInfo)) return next(request)
  const id = ready.session(request).get('user')
  const user = typeof id === 'number' ? findUser(id) : null
  if (user !== null) request.state['user'] = user
  return next(request)
}, 'visitor')

const forMembers: ReadonlySet<View> = new Set<View>([views.create, views.edit, views.addPicture])

/** Has guests log in where only members may go, and fills in what every page shows. A neutral layer of hooks. */
export const account: Layer = neutral({
  *processView(request, view) {
    if (!forMembers.has(view) || userOf(request) !== null) return undefined
    const next = request.method === 'GET' ? request.pathInfo : '/posts'
    return HttpResponse.redirect(urlOf(request, `/login?${new URLSearchParams({ next }).toString()}`), 303)
  },

  *processTemplateResponse(request, response) {
    const user = userOf(request)
    const path = request.pathInfo
    const site: Site = {
      root: rootOf(request),
      path,
      user,
      flash: takeFlash(request),
      // A token starts a session: who only reads gets no cookie.
      csrf: user !== null || path === '/login' ? ready.csrfToken(request) : '',
    }
    response.context = { ...response.context as object, site }
    return response
  },
}, 'account')
