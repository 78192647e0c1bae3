import { isIPv6 } from 'node:net'
import { InvalidOption } from '../contract/errors.ts'
import type { CompleteOptions, ServerOptions } from './options.ts'

/** One place to listen at. TLS is for TCP only. `uwsgi`: for front servers that speak uwsgi. */
export type Bind =
  | { readonly type: 'tcp'; readonly host: string; readonly port: number; readonly https: boolean; readonly uwsgi?: true }
  | { readonly type: 'unix'; readonly path: string; readonly uwsgi?: true }
  | { readonly type: 'fd'; readonly fd: number }

/** The first descriptor that systemd passes. */
const FIRST_DESCRIPTOR = 3

const TCP = /^(https?|uwsgi):\/\/(\[[^\]]*\]|[^[\]:/?#@\s]+):(\d{1,5})$/i
const UNIX = /^(unix|uwsgi):(?:\/\/)?(\/(?!\/).+)$/
const DESCRIPTOR = /^fd:\/\/(\d{1,9})$/

/** Where the options say to listen. Throws `InvalidOption` for an entry of `bind` that is malformed. */
export function bindsOf(options: CompleteOptions): readonly Bind[] {
  const { bind, fd, uds, host, port, tlsCert } = options
  if (bind.length > 0) return bind.map(parseBind)
  if (fd !== undefined) return [{ type: 'fd', fd }]
  if (uds !== undefined) return [{ type: 'unix', path: uds }]
  return [{ type: 'tcp', host, port, https: tlsCert !== undefined }]
}

/** How messages call the place: `127.0.0.1:8000`, `[::1]:8000`, `/run/app.sock`, `fd://3`. */
export function bindText(bind: Bind): string {
  switch (bind.type) {
    case 'tcp':
      return `${bracketed(bind.host)}:${bind.port}`
    case 'unix':
      return bind.path
    case 'fd':
      return `fd://${bind.fd}`
  }
}

/** A host as it stands in URLs. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/**
 * The options, with the sockets that systemd opened for this process as their binds (sd_listen_fds(3)), if there are
 * some and no other address is given. The variables are removed, so that no child takes them for its own.
 */
export function withInheritedSockets(options: ServerOptions, env: NodeJS.ProcessEnv = process.env): ServerOptions {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = env
  if (pid === undefined || Number(pid) !== process.pid) return options
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  const { bind, fd, uds, host, port } = options
  if (bind !== undefined || fd !== undefined || uds !== undefined || host !== undefined || port !== undefined) return options
  const sockets = /^[1-9]\d{0,3}$/.test(count ?? '') ? Number(count) : 0
  if (sockets === 0) return options
  return { ...options, bind: Array.from({ length: sockets }, (_, index) => `fd://${FIRST_DESCRIPTOR + index}`) }
}

function parseBind(text: string): Bind {
  const [, scheme = '', host = '', digits] = TCP.exec(text) ?? []
  if (digits !== undefined) {
    const port = Number(digits)
    const bare = host.startsWith('[') ? host.slice(1, -1) : host
    if (port <= 65535 && (bare === host || isIPv6(bare))) {
      const protocol = scheme.toLowerCase()
      return { type: 'tcp', host: bare, port, https: protocol === 'https', ...(protocol === 'uwsgi' ? { uwsgi: true } : {}) }
    }
  }
  const [, kind, path] = UNIX.exec(text) ?? []
  if (path !== undefined) return { type: 'unix', path, ...(kind === 'uwsgi' ? { uwsgi: true } : {}) }
  const fd = DESCRIPTOR.exec(text)?.[1]
  if (fd !== undefined) return { type: 'fd', fd: Number(fd) }
  throw new InvalidOption('bind', 'of the form http://HOST:PORT, https://HOST:PORT, unix:/PATH, uwsgi://HOST:PORT, uwsgi:/PATH or fd://N, without a path after the port', text)
}
