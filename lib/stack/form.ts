import { fileFrom, type FileParts, type UploadedFile } from './uploaded-file.ts'

/** A form as plain data, which can be cloned to a thread: files by their path, or with their bytes. */
export interface FormParts {
  readonly entries: readonly (readonly [name: string, value: string])[]
  readonly files: readonly FileParts[]
}

const NO_VALUES: readonly string[] = Object.freeze([])

/** What a form has sent: its text fields, in their order, and its files. */
export class Form implements Iterable<readonly [name: string, value: string]> {
  /** The files, in their order. */
  readonly files: readonly UploadedFile[]
  readonly #entries: readonly (readonly [name: string, value: string])[]
  #byName: ReadonlyMap<string, string[]> | null = null

  constructor(entries: readonly (readonly [name: string, value: string])[] = [], files: readonly UploadedFile[] = []) {
    this.#entries = entries
    this.files = files
  }

  /** How many text fields there are. */
  get length(): number {
    return this.#entries.length
  }

  /** The first value of a field; `undefined` if there is none. */
  get(name: string): string | undefined {
    return this.#named(name)[0]
  }

  /** Every value of a field, in order; empty if there is none. */
  getAll(name: string): readonly string[] {
    return this.#named(name)
  }

  /** Whether there is a text field of this name. */
  has(name: string): boolean {
    return this.#named(name).length > 0
  }

  /** The text fields: names and values, in their order. */
  entries(): readonly (readonly [name: string, value: string])[] {
    return this.#entries
  }

  /** The first file of a field; `undefined` if there is none. */
  file(name: string): UploadedFile | undefined {
    return this.files.find((file) => file.name === name)
  }

  [Symbol.iterator](): Iterator<readonly [name: string, value: string]> {
    return this.#entries[Symbol.iterator]()
  }

  #named(name: string): readonly string[] {
    if (this.#byName === null) {
      const byName = new Map<string, string[]>()
      for (const [each, value] of this.#entries) {
        const values = byName.get(each)
        if (values === undefined) byName.set(each, [value])
        else values.push(value)
      }
      this.#byName = byName
    }
    return this.#byName.get(name) ?? NO_VALUES
  }
}

/** Makes of a form what can be cloned. */
export function formData(form: Form): FormParts {
  return { entries: form.entries(), files: form.files.map((file) => file.parts()) }
}

/** Undoes `formData`. */
export function formFrom(parts: FormParts): Form {
  return new Form(parts.entries, parts.files.map(fileFrom))
}
