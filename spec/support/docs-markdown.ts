/** Reads what the specs of the documents look at: code blocks, tables, links and generated parts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The top of the checkout. */
export const root: string = resolve(import.meta.dirname, '../..')

/** One document. */
export interface Document {
  /** Relative to the top of the checkout. */
  readonly path: string
  readonly text: string
}

/** A fenced block. */
export interface CodeBlock {
  readonly language: string
  readonly code: string
  /** What `<!-- example: LABEL -->` on the line before says; null if there is no such line. */
  readonly label: string | null
  readonly line: number
}

/** A table with the heading that it stands under. */
export interface Table {
  readonly heading: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** The documents that a reader of the repository is given. */
export function documents(): readonly Document[] {
  const contract = readdirSync(join(root, 'spec')).filter((name) => name.endsWith('.md')).sort().map((name) => `spec/${name}`)
  return ['README.md', 'CHANGELOG.md', ...contract].map(document)
}

/** One document by its path. */
export function document(path: string): Document {
  return { path, text: readFileSync(join(root, path), 'utf8') }
}

/** The fenced blocks of a document. */
export function codeBlocks({ text }: Document): readonly CodeBlock[] {
  const blocks: CodeBlock[] = []
  const pattern = /^(?:<!-- example: (\S+) -->\n)?```(\w*)\n(.*?)^```$/gms
  for (const match of text.matchAll(pattern)) {
    const [, label = null, language = '', code = ''] = match
    blocks.push({ language, code, label, line: text.slice(0, match.index).split('\n').length })
  }
  return blocks
}

/** The tables of a document; a bar within a cell is written `\|`. */
export function tables({ text }: Document): readonly Table[] {
  const found: { heading: string; columns: readonly string[]; rows: (readonly string[])[] }[] = []
  let heading = ''
  let within = false
  for (const line of withoutBlocks(text).split('\n')) {
    heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading
    const isRow = line.startsWith('|')
    if (isRow && !within) found.push({ heading, columns: cells(line), rows: [] })
    else if (isRow && !/^\|[-:| ]+\|$/.test(line)) found.at(-1)?.rows.push(cells(line))
    within = isRow
  }
  return found
}

/** The code spans of a cell or a paragraph. */
export function codeSpans(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

/** The targets of the links of a document. */
export function links({ text }: Document): readonly string[] {
  return [...withoutBlocks(text).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = '']) => target)
}

/** The anchors that a document's headings have on the web. */
export function anchors({ text }: Document): ReadonlySet<string> {
  const headings = [...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)]
  return new Set(headings.map(([, heading = '']) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-')))
}

const GENERATED = /(<!-- generated: (\S+) -->\n)(.*?)(<!-- end -->)/gs

/** The names of a document's generated parts. */
export function generatedNames({ text }: Document): readonly string[] {
  return [...text.matchAll(GENERATED)].map(([, , name = '']) => name)
}

/** The document's text with its generated parts made anew. */
export function regenerated({ text }: Document, generate: (name: string) => string): string {
  return text.replaceAll(GENERATED, (_, begin: string, name: string, _old: string, end: string) => `${begin}\n${generate(name)}\n\n${end}`)
}

function cells(line: string): readonly string[] {
  return line.replace(/^\|/, '').replace(/\|\s*$/, '').split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '')
}
