/** Which view answers which address. The kinds of views stand side by side: a sync one, `async`, and `function*`. */
import { route, type Route } from 'tsgi/stack'
import * as api from './api.ts'
import * as views from './views.ts'

export const routes: readonly Route[] = [
  route('/', views.home),
  route('/posts', views.list),
  route('/posts/new', views.create),
  route('/posts/:id', views.detail),
  route('/posts/:id/edit', views.edit),
  route('/posts/:id/picture', views.addPicture),
  route('/pictures/:name', views.picture),
  route('/login', views.login),
  route('/logout', views.logout),
  route('/about', views.about),
  route('/report.csv', views.report),
  route('/boom', views.boom),
  route('/static/:name', views.staticFile),
  route('/api/posts', api.posts),
  route('/api/posts.ndjson', api.everyPost),
  route('/api/posts/:id', api.post),
]
