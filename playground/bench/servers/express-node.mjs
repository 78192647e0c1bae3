import { createServer } from 'node:http'
import { app } from './express-app.mjs'
import { serving } from './serving.mjs'

const server = createServer(app)
server.keepAliveTimeout = 65_000
server.listen(0, '127.0.0.1', 2048, () => serving(`http://127.0.0.1:${server.address().port}/`))
