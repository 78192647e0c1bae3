/** What a thread imports first: modules that run there may import `tsgi` wherever they lie, as the application may. */
import { resolveSelf } from './resolve-self.ts'

resolveSelf()
