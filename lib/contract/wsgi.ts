/** The interface of sync applications: PEP 3333, with its words. Strings hold Latin-1 characters only, one for each byte. */

/** A sync application. A bare string or `Uint8Array` counts as one block; a string is UTF-8. */
export type WsgiApplication = (environ: Environ, startResponse: StartResponse) => WsgiResult

/** The body of a response, block by block. `close` is called once, however the request ends. */
export type WsgiResult = (Iterable<Uint8Array | string> & { readonly close?: (() => void) | undefined }) | Uint8Array | string

/**
 * Begins the response: `status` reads `200 OK`, names and values are pairs of strings. A second call needs `excInfo`, the
 * error that it answers: before the head is out it replaces the head, after that it throws `excInfo`. What is wrong with
 * the status or the headers throws at once.
 */
export type StartResponse = (status: string, headers: readonly (readonly [name: string, value: string])[], excInfo?: unknown) => Write

/** Sends a block at once, before those that are returned: for code that cannot return its body. */
export type Write = (data: Uint8Array | string) => void

/** The request: CGI's variables (RFC 3875 4.1), those of the fields as `HTTP_…`, and what is WSGI's own. It may be changed. */
export interface Environ {
  REQUEST_METHOD: string
  /** Where the application is mounted, decoded; empty at the root. */
  SCRIPT_NAME: string
  /** The path beneath it, decoded, one character for each byte. */
  PATH_INFO: string
  QUERY_STRING: string
  /** Path and query as they stood in the request, still encoded. `RAW_URI` is another name for it. Not every host has them. */
  REQUEST_URI?: string | undefined
  RAW_URI?: string | undefined
  CONTENT_TYPE?: string | undefined
  CONTENT_LENGTH?: string | undefined
  SERVER_NAME: string
  SERVER_PORT: string
  SERVER_PROTOCOL: string
  'wsgi.version': readonly [1, 0]
  /** `http` or `https`. */
  'wsgi.url_scheme': string
  /** The request's body. */
  'wsgi.input': WsgiInput
  /** The input ends where the body does, so that it may be read without a `CONTENT_LENGTH`: a body in chunks has none. */
  'wsgi.input_terminated'?: true | undefined
  /** What is written here goes to the server's log. */
  'wsgi.errors': WsgiErrors
  'wsgi.multithread': boolean
  'wsgi.multiprocess': boolean
  'wsgi.run_once': boolean
  /** Makes a body of a file, in blocks of `blockSize` bytes; it closes the file at the end. */
  'wsgi.file_wrapper': (file: WsgiFile, blockSize?: number) => Iterable<Uint8Array> & { close(): void }
  /** The whole path, `SCRIPT_NAME` included, as Unicode text. */
  'tsgi.path': string
  [key: string]: unknown
}

/** A request's body, read by blocking calls. Its end reads as no bytes; a client that leaves before throws `ClientDisconnected`. */
export interface WsgiInput extends Iterable<Buffer> {
  /** At most `size` bytes, fewer only at the end; without a size, or with a negative one, all that are left. */
  read(size?: number | null): Buffer
  /** At most `size` bytes, those that are there: it waits only while there are none. None at the end. Not every host has it. */
  read1?(size?: number | null): Buffer
  /** Up to and with the next line feed; at most `size` bytes. */
  readline(size?: number | null): Buffer
  /** The lines that are left; no more once they have `hint` bytes together. */
  readlines(hint?: number | null): Buffer[]
}

export interface WsgiErrors {
  write(text: string): void
  writelines(lines: Iterable<string>): void
  flush(): void
}

/** What `wsgi.file_wrapper` takes. */
export interface WsgiFile {
  /** At most `size` bytes; none at the end. */
  read(size: number): Uint8Array | string
  close?: (() => void) | undefined
}
