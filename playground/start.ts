/** `npm start`: the tsgi command from a checkout; without arguments it serves the showcase. */
import { main } from '../lib/cli/main.ts'

await main(process.argv.slice(2), { defaultApplication: 'playground/showcase/app.ts' })
