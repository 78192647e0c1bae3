"""uvicorn --interface wsgi, with uvloop and httptools. It talks to the harness as Node's programs do."""
import json
import os
import threading

import uvicorn


def hello(environ, start_response):
    start_response('200 OK', [('content-type', 'text/plain'), ('content-length', '12')])
    return [b'Hello world!']


# Node's channel to its child: a JSON text a line.
channel = int(os.environ['NODE_CHANNEL_FD'])


def end_with_harness():
    while os.read(channel, 65536):
        pass
    os._exit(0)


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        os.write(channel, (json.dumps({'url': f'http://127.0.0.1:{port}/'}) + '\n').encode())
        threading.Thread(target=end_with_harness, daemon=True).start()


Server(uvicorn.Config(hello, host='127.0.0.1', port=0, interface='wsgi', loop='uvloop', http='httptools', access_log=False, log_level='warning')).run()
