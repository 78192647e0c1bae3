/** What the book does for each address. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { csvRow } from './csv.ts'
import { database } from './database.ts'
import { addEntry, deleteEntry, everyEntry, findEntry, listEntries, setPicture, type Entry } from './entries.ts'
import * as pages from './pages.ts'
import { isPassword } from './passwords.ts'
import { openPicture, PICTURE_LIMIT, removePicture, storePicture, type Picture } from './pictures.ts'
import { document, HttpError, page, redirect } from './response.ts'
import type { View } from './router.ts'
import { troublesOf, wordsOf } from './words.ts'

const EXPIRED = 'This page was open for too long. Please send it once more.'
const TOO_LARGE = `A picture may have ${PICTURE_LIMIT / 2 ** 20} MiB at most.`

/** The list, newest first: `?q=` searches, `?page=` turns the pages. */
export const list: View = (request) => {
  const { query } = request
  const search = (query.get('q') ?? '').trim()
  const number = query.get('page') ?? '1'
  const listed = /^[1-9]\d{0,8}$/.test(number) ? listEntries(search, Number(number)) : null
  if (listed === null || Number(number) > listed.pages) throw new HttpError(404, 'The book has no such page.')
  return page(pages.listPage(request, listed, search, Number(number)))
}

/** The form to sign the book. */
export const signForm: View = (request) => page(pages.signPage(request, { name: '', place: '', message: '' }))

/** Signs the book, or shows the form again with what is wrong. */
export const sign: View = (request) => {
  const form = request.form()
  const words = wordsOf(form)
  const troubles = troublesOf(words)
  if (!request.session.allows(form.get('csrf'))) return page(pages.signPage(request, words, troubles, EXPIRED), 403)
  if (troubles.size > 0) return page(pages.signPage(request, words, troubles), 422)
  const id = addEntry(words, request.session.id)
  request.session.flash('Thank you for signing. You may add a picture below.')
  return redirect(request.url(`/entries/${id}`))
}

export const entry: View = (request, id) => page(pages.entryPage(request, existing(id)))

/** The picture of an entry. */
export const picture: View = (request, id) => {
  const { picture: name, type } = existing(id)
  const file = name === null ? null : openPicture(name)
  if (file === null || type === null) throw new HttpError(404, 'This entry has no picture.')
  const headers = [['content-type', type], ['content-length', String(file.size)], ['cache-control', 'no-cache']] as const
  return { status: 200, headers, body: request.environ['wsgi.file_wrapper'](file, 32 * 1024) }
}

/** Adds a picture to an entry: for who wrote it, and the owner. The form has its token before the file. */
export const addPicture: View = (request, id) => {
  const entry = existing(id)
  const answer = (status: number, trouble: string) => page(pages.entryPage(request, entry, trouble), status)
  if (!pages.mayAddPicture(request, entry)) throw new HttpError(403, 'Only who wrote an entry may add a picture.')
  let allowed = false
  let stored: Picture | null = null
  try {
    for (const part of request.parts(PICTURE_LIMIT + 16 * 1024, TOO_LARGE)) {
      if (part.name === 'csrf') allowed = request.session.allows(part.text())
      if (part.name !== 'picture' || stored !== null) continue
      if (!allowed) return answer(403, EXPIRED)
      if (part.filename !== null && part.filename !== '') stored = storePicture(part.blocks)
    }
    if (stored === null) return answer(422, 'Please choose a picture.')
    if (stored.size > PICTURE_LIMIT) throw new HttpError(413, TOO_LARGE)
    if (!setPicture(entry.id, stored)) throw new HttpError(404, 'This entry is gone.')
  } catch (error) {
    if (stored !== null) removePicture(stored.file)
    if (error instanceof HttpError && (error.status === 413 || error.status === 415)) return answer(error.status, error.message)
    throw error
  }
  if (entry.picture !== null) removePicture(entry.picture)
  request.session.flash('The picture is in the book.')
  return redirect(request.url(`/entries/${entry.id}`))
}

/** Deletes an entry: for the owner. */
export const remove: View = (request, id) => {
  const form = request.form()
  if (!request.session.isOwner) throw new HttpError(403, 'Only the owner may delete an entry.')
  if (!request.session.allows(form.get('csrf'))) throw new HttpError(403, 'This does not come from a page of this book.')
  const entry = existing(id)
  deleteEntry(entry.id)
  if (entry.picture !== null) removePicture(entry.picture)
  request.session.flash(`The entry by ${entry.name} is deleted.`)
  return redirect(request.url('/'))
}

export const loginForm: View = (request) => page(pages.loginPage(request))

/** Logs the owner in. The thread blocks while the password is hashed. */
export const login: View = (request) => {
  const form = request.form()
  if (!request.session.allows(form.get('csrf'))) return page(pages.loginPage(request, EXPIRED), 403)
  const hash = database().get<{ value: string }>('SELECT value FROM settings WHERE name = \'password\'')?.value
  if (hash === undefined || !isPassword(form.get('password') ?? '', hash)) return page(pages.loginPage(request, 'That is not the password.'), 422)
  request.session.logIn()
  request.session.flash('Welcome back. You can delete entries now.')
  return redirect(request.url('/'))
}

export const logout: View = (request) => {
  const form = request.form()
  if (!request.session.allows(form.get('csrf'))) throw new HttpError(403, 'This does not come from a page of this book.')
  request.session.end()
  request.session.flash('You are logged out.')
  return redirect(request.url('/'))
}

/** All entries, each sent as it comes from the database. */
export const exportCsv: View = () => ({
  status: 200,
  headers: [['content-type', 'text/csv; charset=utf-8; header=present'], ['content-disposition', 'attachment; filename="guestbook.csv"'], ['cache-control', 'no-store']],
  body: exported(),
})

function* exported(): Generator<string, void, void> {
  yield csvRow(['id', 'date', 'name', 'place', 'message'])
  for (const { id, created, name, place, message } of everyEntry()) {
    yield csvRow([id, new Date(created).toISOString(), name, place, message])
  }
}

export const style: View = () => document('text/css; charset=utf-8', readFileSync(join(import.meta.dirname, 'page/style.css'), 'utf8'), 200, [['cache-control', 'no-cache']])

function existing(id: number | undefined): Entry {
  const found = id === undefined ? null : findEntry(id)
  if (found === null) throw new HttpError(404, 'This entry is not in the book.')
  return found
}
