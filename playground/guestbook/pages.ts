/** The pages. All links are made by `request.url`, so that the book works wherever it is mounted. */
import { EXAMPLE_PASSWORD } from './database.ts'
import type { Entry, Listed, Words } from './entries.ts'
import { html, type Content, type Html } from './html.ts'
import { PICTURE_LIMIT } from './pictures.ts'
import type { Request } from './request.ts'
import { LIMITS, type Troubles } from './words.ts'

const ICON = 'data:image/svg+xml,%3Csvg xmlns=\'http://www.w3.org/2000/svg\' viewBox=\'0 0 16 16\'%3E%3Crect x=\'2\' y=\'1\' width=\'12\' height=\'14\' rx=\'2\' fill=\'%232f7d6b\'/%3E%3Cpath d=\'M5 5h6M5 8h6M5 11h3\' stroke=\'white\' stroke-width=\'1.4\' stroke-linecap=\'round\'/%3E%3C/svg%3E'

/** Whether a visitor may add a picture: who wrote the entry, and the owner. */
export function mayAddPicture({ session }: Request, entry: Entry): boolean {
  return session.isOwner || (session.id !== null && session.id === entry.session)
}

export function listPage(request: Request, { entries, total, pages }: Listed, search: string, number: number): Html {
  const count = `${total} ${total === 1 ? 'entry' : 'entries'}`
  const address = (page: number): string => {
    const query = new URLSearchParams({ ...search === '' ? {} : { q: search }, ...page === 1 ? {} : { page: String(page) } }).toString()
    return request.url(query === '' ? '/' : `/?${query}`)
  }
  return layout(request, search === '' ? 'Guestbook' : `“${search}” in the guestbook`, html`
    <form class="search" role="search" action="${request.url('/')}">
      <input type="search" name="q" value="${search}" aria-label="Search the book" placeholder="Search the book">
      <button class="quiet">Search</button>
    </form>
    <p class="soft count">${search === '' ? count : html`${count} with “${search}”. <a href="${request.url('/')}">Show all</a>`}</p>
    <ol class="entries" reversed>${entries.map((entry) => html`<li>${article(request, entry)}</li>`)}</ol>
    ${pages > 1 && html`<nav class="pages" aria-label="Pages">
      ${number > 1 ? html`<a rel="prev" href="${address(number - 1)}">Newer</a>` : html`<span></span>`}
      <span class="soft">Page ${number} of ${pages}</span>
      ${number < pages ? html`<a rel="next" href="${address(number + 1)}">Older</a>` : html`<span></span>`}
    </nav>`}`)
}

export function entryPage(request: Request, entry: Entry, trouble: string | null = null): Html {
  return layout(request, `${entry.name} in the guestbook`, html`
    ${article(request, entry)}
    ${mayAddPicture(request, entry) && html`<form class="card" method="post" enctype="multipart/form-data" action="${request.url(`/entries/${entry.id}/picture`)}">
      ${token(request)}
      <label>${entry.picture === null ? 'Add a picture' : 'Another picture in its place'}
        <input type="file" name="picture" accept="image/png,image/jpeg,image/gif,image/webp" required>
        <small class="soft">PNG, JPEG, GIF or WebP, ${PICTURE_LIMIT / 2 ** 20} MiB at most.</small>
      </label>
      ${alert(trouble)}
      <button>Upload</button>
    </form>`}
    <p><a href="${request.url('/')}">All entries</a></p>`)
}

export function signPage(request: Request, words: Words, troubles: Troubles = new Map(), notice: string | null = null): Html {
  const field = (name: keyof Words, label: string, hint: string, input: Html): Html => html`
    <label>${label} <small class="soft">${hint}</small>${input}</label>
    ${troubles.has(name) && html`<p class="trouble" id="${name}-trouble">${troubles.get(name) ?? null}</p>`}`
  const state = (name: keyof Words): Html | false => troubles.has(name) && html`aria-invalid="true" aria-describedby="${name}-trouble"`
  return layout(request, 'Sign the guestbook', html`
    <form class="card" method="post" action="${request.url('/sign')}" novalidate>
      <h2>Sign the book</h2>
      ${token(request)}
      ${alert(notice ?? (troubles.size > 0 ? 'Something is missing, or too long.' : null))}
      ${field('name', 'Name', '', html`<input name="name" value="${words.name}" maxlength="${LIMITS.name}" autocomplete="name" required ${state('name')}>`)}
      ${field('place', 'Where from', 'if you like', html`<input name="place" value="${words.place}" maxlength="${LIMITS.place}" ${state('place')}>`)}
      ${field('message', 'Message', '', html`<textarea name="message" rows="6" required ${state('message')}>
${words.message}</textarea>`)}
      <button>Sign</button>
    </form>
    <p><a href="${request.url('/')}">All entries</a></p>`)
}

export function loginPage(request: Request, trouble: string | null = null): Html {
  return layout(request, 'Log in to the guestbook', html`
    <form class="card" method="post" action="${request.url('/login')}">
      <h2>For the owner</h2>
      ${token(request)}
      <label>Password <input type="password" name="password" autocomplete="current-password" required></label>
      ${process.env['GUESTBOOK_PASSWORD'] === undefined && html`<p class="soft">This is an example: the password is <code>${EXAMPLE_PASSWORD}</code>.</p>`}
      ${alert(trouble)}
      <button>Log in</button>
    </form>`)
}

export function errorPage(request: Request, status: number, message: string): Html {
  return layout(request, `${status}`, html`<section class="card"><h2>${message}</h2><p class="soft">Error ${status}</p></section>
    <p><a href="${request.url('/')}">All entries</a></p>`)
}

function article(request: Request, entry: Entry): Html {
  const { id, name, place, message, created, picture } = entry
  const date = new Date(created)
  return html`<article class="card">
    <header>
      <h2><a href="${request.url(`/entries/${id}`)}">${name}</a></h2>
      <p class="soft">${place !== '' && html`<span>${place}</span>`} <time datetime="${date.toISOString()}">${dates.format(date)}</time></p>
    </header>
    <p class="message">${message}</p>
    ${picture !== null && html`<img src="${request.url(`/entries/${id}/picture`)}" alt="A picture by ${name}" loading="lazy">`}
    ${request.session.isOwner && html`<form method="post" action="${request.url(`/entries/${id}/delete`)}">${token(request)}<button class="quiet" aria-label="Delete the entry by ${name}">Delete</button></form>`}
  </article>`
}

const dates = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })

function layout(request: Request, title: string, content: Content): Html {
  const { session } = request
  const flash = session.takeFlash()
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <meta name="color-scheme" content="light dark">
  <title>${title}</title>
  <link rel="icon" href="${ICON}">
  <link rel="stylesheet" href="${request.url('/style.css')}">
</head>
<body>
  <header class="top">
    <h1><a href="${request.url('/')}">Guestbook</a></h1>
    <a class="button" href="${request.url('/sign')}">Sign the book</a>
  </header>
  <main>
    ${flash !== null && html`<p class="flash" role="status">${flash}</p>`}
    ${content}
  </main>
  <footer class="soft">
    <a href="${request.url('/export.csv')}">Export as CSV</a>
    ${session.isOwner
      ? html`<form method="post" action="${request.url('/logout')}">${token(request)}<button class="link">Log out</button></form>`
      : html`<a href="${request.url('/login')}">Log in</a>`}
  </footer>
</body>
</html>
`
}

function token({ session }: Request): Html {
  return html`<input type="hidden" name="csrf" value="${session.csrf}">`
}

function alert(text: string | null): Html | null {
  return text === null ? null : html`<p class="trouble" role="alert">${text}</p>`
}
