/**
 * A load client over `node:net`, for machines without wrk; a program of its own. Every connection sends a request,
 * waits for the whole response, and sends the next. Prints how many were answered.
 */
import { connect } from 'node:net'

interface Orders {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  readonly fields: Readonly<Record<string, string>>
}

const { url, connections, seconds, fields } = JSON.parse(process.argv[2] ?? '') as Orders
const { hostname, port, host, pathname } = new URL(url)
const lines = Object.entries({ host, ...fields }).map(([name, value]) => `${name}: ${value}\r\n`)
const request = Buffer.from(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')

let requests = 0
let errors = 0
const stopAt = performance.now() + seconds * 1000

/** Loads the server by one connection. Resolves when the time is up or the connection has failed. */
function drive(): Promise<void> {
  return new Promise((done) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    // All responses of a server have one length: that of the first.
    let length = 0
    let received = 0
    let first = ''
    let finished = false
    const finish = (failed: boolean): void => {
      if (finished) return
      finished = true
      if (failed) errors++
      socket.destroy()
      done()
    }
    socket.on('connect', () => socket.write(request))
    socket.on('data', (part) => {
      received += part.length
      if (length === 0) {
        first += part.toString('latin1')
        length = responseLength(first)
        if (Number.isNaN(length)) return finish(true)
        if (length === 0) return
      } else if (received === part.length && !isOk(part)) {
        return finish(true)
      }
      if (received > length) return finish(true)
      if (received < length) return
      requests++
      received = 0
      if (performance.now() >= stopAt) finish(false)
      else socket.write(request)
    })
    socket.on('error', () => finish(true))
    socket.on('close', () => finish(true))
  })
}

/** The length of the response that begins `text`: 0 while its head is not whole, NaN if it is not one to count. */
function responseLength(text: string): number {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return 0
  const body = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1]
  return isOk(Buffer.from(text, 'latin1')) ? end + 4 + Number(body ?? NaN) : NaN
}

/** Whether a response's first bytes say 200: `HTTP/1.1 2`. */
function isOk(bytes: Buffer): boolean {
  return bytes[0] === 0x48 && bytes[9] === 0x32
}

await Promise.all(Array.from({ length: connections }, drive))
console.log(JSON.stringify({ requests, errors }))
