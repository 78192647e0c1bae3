/** Settings that name layers, views and routes by their places. */
export const middleware = ['./parts.js#outer', './parts.js#unused', './parts.js#legacy'] as const
export const routes = [['/hello/:name', './parts.js#hello'], ['/wait', './parts.js#wait'], ['/default', './view.js']] as const
export const debug = true
export const log = (): void => {}
