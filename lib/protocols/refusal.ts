/** Why a request is not served: the status to answer with and a sentence for the body of that answer. */
export class Refusal {
  readonly status: number
  readonly reason: string

  constructor(status: number, reason: string) {
    this.status = status
    this.reason = reason
  }
}

/** A 400 that names the clause it stands on. */
export function bad(reason: string): Refusal {
  return new Refusal(400, reason)
}
