/** The pages of errors. They are made where the error is met, on either side, and must be quick. */
import { HttpResponse, type ErrorPage, type HttpRequest } from 'tsgi/stack'
import { userOf } from './account.ts'
import { rootOf } from './requests.ts'
import { errorPage } from './templates.ts'

const texts: Readonly<Record<number, readonly [title: string, text: string]>> = {
  400: ['That was not understood', 'What your browser sent is malformed.'],
  403: ['That is not yours to do', 'Perhaps the page was open for too long, or you are logged in as somebody else.'],
  404: ['Nothing grows here', 'There is no such page, or it is gone.'],
  405: ['Not like this', 'This address takes other methods.'],
  413: ['That is too large', 'A note has 4,000 characters at most, and a picture 2 MiB.'],
  415: ['That is of another kind', 'It has a media type that this address does not take.'],
  429: ['Too many tries', 'Please wait a little, and try again.'],
  500: ['Something broke', 'It is our fault, not yours. It has been written down.'],
  503: ['The gate is closed', 'We are at work in the beds. Please come back in a few minutes.'],
}

/** A page for a status, or JSON for who asks for that. */
export function errorResponse(request: HttpRequest, status: number, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  const [title = '', text = ''] = texts[status] ?? []
  if (request.pathInfo.startsWith('/api/')) return HttpResponse.json({ error: title }, { status, headers })
  const site = { root: rootOf(request), path: request.pathInfo, user: userOf(request), flash: null, csrf: '' }
  return HttpResponse.html(errorPage(site, status, title, text), { status, headers: { 'cache-control': 'no-store', ...headers } })
}

/** For the stack: a page for each status. */
export const errorPages: Readonly<Record<number, ErrorPage>> = Object.fromEntries(Object.keys(texts).map(Number).map((status): [number, ErrorPage] => [status, (request, error) => {
  const { allowed } = error as { readonly allowed?: string }
  return errorResponse(request, status, allowed === undefined ? {} : { allow: allowed })
}]))
