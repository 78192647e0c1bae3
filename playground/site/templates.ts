/** The pages. All links begin with `site.root`, so that the site works wherever it is mounted. */
import { LIMITS, PICTURE_LIMIT, type Troubles } from './forms.ts'
import { html, type Content, type Html } from '../guestbook/html.ts'
import type { Draft, Listed, Post } from './posts.ts'
import { seedPassword, seedUsers } from './seed.ts'
import type { User } from './users.ts'

/** What every page shows: put into the context of a template by the layer `account`. */
export interface Site {
  /** Where the site is mounted, percent-encoded. */
  readonly root: string
  /** The address of the page, beneath that. */
  readonly path: string
  readonly user: User | null
  /** A line that is shown once. */
  readonly flash: string | null
  /** What forms repeat; empty where there can be none. */
  readonly csrf: string
}

/** The context of a page: its own part, and the site's. */
export type Context<Own> = Own & { readonly site?: Site }

/** A page that has what all have. */
type Page<Own> = (context: Context<Own>) => string

export const listPage: Page<Listed> = ({ posts, total, page, pages, site }) => layout(site, 'Log', ({ root, user }) => html`
  <div class="lead">
    <div><h1>The log of Plot 9</h1><p class="soft">${total} notes from a shared garden, the newest first.</p></div>
    ${user !== null && html`<a class="button" href="${root}/posts/new">Write a note</a>`}
  </div>
  <ol class="posts" reversed>${posts.map((post) => html`<li>${card(root, post)}</li>`)}</ol>
  ${pages > 1 && html`<nav class="pages" aria-label="Pages">
    ${page > 1 ? html`<a rel="prev" href="${root}/posts${page === 2 ? '' : `?page=${page - 1}`}">Newer</a>` : html`<span></span>`}
    <span>Page ${page} of ${pages}</span>
    ${page < pages ? html`<a rel="next" href="${root}/posts?page=${page + 1}">Older</a>` : html`<span></span>`}
  </nav>`}`)

export const postPage: Page<{ readonly post: Post; readonly trouble?: string }> = ({ post, trouble, site }) => layout(site, post.title, ({ root, user, csrf }) => html`
  <article class="sheet">
    <h1>${post.title}</h1>
    ${byline(post)}
    ${post.picture !== null && html`<img class="picture" src="${root}/pictures/${post.picture}" alt="${post.alt}">`}
    <p class="body">${post.body}</p>
    ${user?.id === post.author && html`<p><a class="button quiet" href="${root}/posts/${post.id}/edit">Edit</a></p>`}
  </article>
  ${user?.id === post.author && html`<form class="sheet" method="post" enctype="multipart/form-data" action="${root}/posts/${post.id}/picture">
    <h2>${post.picture === null ? 'Add a picture' : 'Another picture in its place'}</h2>
    ${token(csrf)}
    ${alert(trouble)}
    <div class="field"><label for="picture">Picture</label>
      <input type="file" id="picture" name="picture" accept="image/png,image/jpeg,image/gif,image/webp" required aria-describedby="picture-hint">
      <p class="hint" id="picture-hint">PNG, JPEG, GIF or WebP, at most ${PICTURE_LIMIT / 2 ** 20} MiB.</p></div>
    <div class="field"><label for="alt">What is to be seen in it</label>
      <input id="alt" name="alt" maxlength="200" aria-describedby="alt-hint">
      <p class="hint" id="alt-hint">For those who cannot see it.</p></div>
    <button>Upload</button>
  </form>`}
  <p><a href="${root}/posts">All notes</a></p>`)

export const draftPage: Page<{ readonly id: number | null; readonly draft: Draft; readonly troubles: Troubles | null }> = ({ id, draft, troubles, site }) => layout(site, id === null ? 'Write a note' : 'Edit a note', ({ root, csrf }) => html`
  <form class="sheet" method="post" action="${root}${id === null ? '/posts/new' : `/posts/${id}/edit`}" novalidate>
    <h1>${id === null ? 'Write a note' : 'Edit a note'}</h1>
    ${token(csrf)}
    ${alert(troubles === null ? undefined : 'This is not complete yet: see below.')}
    ${field('title', 'Title', troubles, html`<input id="title" name="title" value="${draft.title}" maxlength="${LIMITS.title}" required${invalid('title', troubles)}>`)}
    ${field('body', 'Note', troubles, html`<textarea id="body" name="body" rows="8" required${invalid('body', troubles)}>
${draft.body}</textarea>`)}
    <p class="actions"><button>${id === null ? 'Publish' : 'Save'}</button> <a href="${root}/posts${id === null ? '' : `/${id}`}">Cancel</a></p>
  </form>`)

export const loginPage: Page<{ readonly name: string; readonly next: string; readonly trouble?: string }> = ({ name, next, trouble, site }) => layout(site, 'Log in', ({ root, csrf }) => html`
  <form class="sheet narrow" method="post" action="${root}/login">
    <h1>Log in</h1>
    ${token(csrf)}
    <input type="hidden" name="next" value="${next}">
    ${alert(trouble)}
    <div class="field"><label for="name">Name</label><input id="name" name="name" value="${name}" autocomplete="username" autocapitalize="none" required></div>
    <div class="field"><label for="password">Password</label><input type="password" id="password" name="password" autocomplete="current-password" required></div>
    <button>Log in</button>
    ${process.env['SITE_PASSWORD'] === undefined && html`<p class="hint">This is an example: you are <code>${seedUsers[0] ?? ''}</code>, and the password is <code>${seedPassword}</code>.</p>`}
  </form>`)

export const aboutPage: Page<object> = ({ site }) => layout(site, 'About', ({ root }) => html`
  <section class="sheet">
    <h1>About</h1>
    <p>Plot 9 is a garden that does not exist, and its log is an example of tsgi: one list of layers and one table of views, which runs in async mode and in sync mode without a change.</p>
    <p>Views that ask the database block, so they run on threads. Those of the <a href="${root}/api/posts">JSON interface</a> await, and run on the event loop. This page does neither, and runs where its neighbours do.</p>
    <p>All notes are to be had as a <a href="${root}/report.csv">table</a>, which is sent while it is made.</p>
  </section>`)

/** A page of an error. It stands by itself, since nobody fills in its context. */
export function errorPage(site: Site, status: number, title: string, text: string): string {
  return layout(site, title, ({ root }) => html`
    <section class="sheet"><p class="hint">Error ${status}</p><h1>${title}</h1><p>${text}</p><p><a href="${root}/posts">To the log</a></p></section>`)
}

function card(root: string, post: Post): Html {
  return html`<article class="card">
    ${post.picture !== null && html`<img src="${root}/pictures/${post.picture}" alt="${post.alt}" loading="lazy">`}
    <div><h2><a href="${root}/posts/${post.id}">${post.title}</a></h2>
    ${byline(post)}
    <p class="excerpt">${excerpt(post.body)}</p></div>
  </article>`
}

function byline({ name, day }: Post): Html {
  return html`<p class="soft">${name}, <time datetime="${day}">${days.format(new Date(day))}</time></p>`
}

const days = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })

function excerpt(body: string): string {
  const characters = [...body.replace(/\s+/g, ' ')]
  return characters.length <= 140 ? characters.join('') : `${characters.slice(0, 139).join('').trimEnd()}…`
}

function field(name: keyof Draft, label: string, troubles: Troubles | null, input: Html): Html {
  const trouble = troubles?.[name]
  return html`<div class="field"><label for="${name}">${label}</label>${input}${trouble !== undefined && html`<p class="trouble" id="${name}-trouble">${trouble}</p>`}</div>`
}

function invalid(name: keyof Draft, troubles: Troubles | null): Html | false {
  return troubles?.[name] !== undefined && html` aria-invalid="true" aria-describedby="${name}-trouble"`
}

function token(csrf: string): Html {
  return html`<input type="hidden" name="csrfToken" value="${csrf}">`
}

function alert(text: string | undefined): Html | false {
  return text !== undefined && html`<p class="trouble" role="alert">${text}</p>`
}

function layout(site: Site | undefined, title: string, content: (site: Site) => Content): string {
  if (site === undefined) throw new Error('the layer account has not filled in the context of this page')
  const { root, path, user, flash, csrf } = site
  const link = (to: string, text: string): Html => html`<a href="${root}${to}"${path === to && html` aria-current="page"`}>${text}</a>`
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <meta name="color-scheme" content="light dark">
  <title>${title} – Plot 9</title>
  <link rel="icon" href="${root}/static/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="${root}/static/style.css">
</head>
<body>
  <a class="skip" href="#content">Skip to the content</a>
  <header class="top">
    <a class="brand" href="${root}/posts"><img src="${root}/static/icon.svg" alt="" width="28" height="28">Plot 9</a>
    <nav aria-label="Site">${link('/posts', 'Log')} ${link('/about', 'About')}</nav>
    <div class="account">${user === null
      ? link('/login', 'Log in')
      : html`<span>${user.name}</span>${csrf !== '' && html`<form method="post" action="${root}/logout">${token(csrf)}<button class="link">Log out</button></form>`}`}</div>
  </header>
  <main id="content">
    ${flash !== null && html`<p class="flash" role="status">${flash}</p>`}
    ${content(site)}
  </main>
  <footer class="soft">Plot 9 does not exist. <a href="${root}/report.csv">All notes as a table (CSV)</a></footer>
</body>
</html>
`.text
}
