/** What a program has done wrong: the status to answer with, and a sentence for the log. */
export class Violation extends Error {
  readonly status: number

  constructor(reason: string, status = 502, options?: ErrorOptions) {
    super(reason, options)
    this.status = status
  }
}
