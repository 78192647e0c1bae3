/** The sync application: the same as that of uvicorn.py. */
export default function hello(environ, startResponse) {
  startResponse('200 OK', [['content-type', 'text/plain'], ['content-length', '12']])
  return ['Hello world!']
}
