/** Who has this room has both sides of it: neither is loaded a second time, by the ways of threads, while it is blocked. */
import { provideModule } from '../threads/module.ts'
import * as onLoop from './on-loop.ts'
import * as onThread from './on-thread.ts'

provideModule(new URL('./on-loop.js', import.meta.url), onLoop)
provideModule(new URL('./on-thread.js', import.meta.url), onThread)
