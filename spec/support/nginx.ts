/** A real nginx, with its files in a folder of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { tempFolder } from './command.ts'
import type { TestContext } from './suite.ts'

/** Starts nginx with the inside of a `server` block; returns its URL. It is ended after the test. */
export async function startNginx(t: TestContext, serverBlock: string): Promise<string> {
  const folder = tempFolder(t)
  const port = await freePort()
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder.path}/${name};`).join('\n  ')
  const conf = folder.write('nginx.conf', `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder.path}/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_max_body_size 0;
  ${temp}
  server {
    listen 127.0.0.1:${port};
    server_name front.test;
    ${serverBlock}
  }
}
`)
  const child = spawn('nginx', ['-p', folder.path, '-c', conf, '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(child, 'exit')
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
  })
  while (!await accepts(port)) {
    if (child.exitCode !== null) throw new Error(`nginx has ended: ${said}`)
    await sleep(20)
  }
  return `http://127.0.0.1:${port}`
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    }).on('error', () => resolve(false))
  })
}
