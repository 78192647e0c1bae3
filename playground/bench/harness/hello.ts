import { get } from 'node:http'

/** All contestants must give the same answer. */
export async function checkHello({ name, url }: { readonly name: string; readonly url: string }): Promise<void> {
  const { status, type, body } = await answerOf(url)
  if (status !== 200 || !/^text\/plain\b/.test(type) || body !== 'Hello world!') {
    throw new Error(`${name} answered ${status} '${type}' '${body}'`)
  }
}

function answerOf(url: string): Promise<{ status: number | undefined; type: string; body: string }> {
  return new Promise((done, fail) => {
    get(url, { agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => done({ status: response.statusCode, type: response.headers['content-type'] ?? '', body }))
      response.on('error', fail)
    }).on('error', fail)
  })
}
