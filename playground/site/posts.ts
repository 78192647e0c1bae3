/** The posts: what is asked of the database. All of it blocks. */
import { database } from './database.ts'

/** What an author writes. */
export interface Draft {
  readonly title: string
  readonly body: string
}

export interface Post extends Draft {
  readonly id: number
  /** The author's number, and name. */
  readonly author: number
  readonly name: string
  /** When it was written: `2025-03-09`. */
  readonly day: string
  /** The picture's file; null without one. */
  readonly picture: string | null
  /** What is to be seen in the picture. */
  readonly alt: string
}

/** A page of the list. */
export interface Listed {
  readonly posts: readonly Post[]
  readonly total: number
  readonly page: number
  readonly pages: number
}

const PAGE_SIZE = 5
const SELECT = 'SELECT posts.*, users.name FROM posts JOIN users ON users.id = posts.author'

/** The newest posts, page by page; null where there is no such page. */
export function listPosts(page: number): Listed | null {
  const total = database().get<{ total: number }>('SELECT count(*) AS total FROM posts')?.total ?? 0
  const pages = Math.max(1, Math.ceil(total / PAGE_SIZE))
  if (!Number.isSafeInteger(page) || page < 1 || page > pages) return null
  const posts = database().all<Post>(`${SELECT} ORDER BY posts.id DESC LIMIT ? OFFSET ?`, PAGE_SIZE, (page - 1) * PAGE_SIZE)
  return { posts, total, page, pages }
}

export function findPost(id: number): Post | null {
  return Number.isSafeInteger(id) ? database().get<Post>(`${SELECT} WHERE posts.id = ?`, id) : null
}

/** Adds a post; returns its number. */
export function addPost({ title, body }: Draft, author: number): number {
  const day = new Date().toISOString().slice(0, 10)
  return database().run('INSERT INTO posts (author, title, body, day) VALUES (?, ?, ?, ?)', author, title, body, day).id
}

export function changePost(id: number, { title, body }: Draft): void {
  database().run('UPDATE posts SET title = ?, body = ? WHERE id = ?', title, body, id)
}

/** Gives a post its picture. */
export function setPicture(id: number, picture: string, alt: string): void {
  database().run('UPDATE posts SET picture = ?, alt = ? WHERE id = ?', picture, alt, id)
}

/** All posts, the oldest first. No statement stays open between two of them: a client may read slowly. */
export function* everyPost(): Generator<Post, void, void> {
  for (let last = 0; ;) {
    const posts = database().all<Post>(`${SELECT} WHERE posts.id > ? ORDER BY posts.id LIMIT 50`, last)
    yield* posts
    if (posts.length === 0) return
    last = posts.at(-1)?.id ?? last
  }
}
