import type { Receive } from '../../lib/contract/application.ts'
import { hasBody } from '../../lib/contract/disconnect.ts'
import { TooLarge } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { spooledBody, type SpooledBody } from '../spooled-body.ts'
import { mayHaveBody } from '../wsgi/body.ts'
import type { CgiSettings } from './options.ts'

/** A request's body as a program gets it. Where neither bytes nor file are there, its bytes are to be received. */
export interface ProgramBody extends Omit<SpooledBody, 'length'> {
  /** Null if there is none. */
  readonly length: number | null
}

const none: ProgramBody = { length: null, bytes: null, file: null }

/** Finds out how long the body is (RFC 3875 4.1.2), for which it may have to be read. A number is the status to answer with. */
export async function programBody(settings: CgiSettings, scope: HttpScope, receive: Receive): Promise<ProgramBody | number> {
  const announced = scope.headers.get('content-length')
  if (announced !== undefined && /^[0-9]+$/.test(announced)) {
    const length = Number(announced)
    return length === 0 ? none : { length, bytes: null, file: null }
  }
  if (!(hasBody(scope) ?? mayHaveBody(scope, undefined, scope.headers.get('transfer-encoding')))) return none
  if (!settings.spool) return 411
  try {
    const body = await spooledBody(receive, settings.spoolLimit, settings.spoolFolder)
    return body.length === 0 ? none : body
  } catch (error) {
    if (error instanceof TooLarge) return 413
    throw error
  }
}
