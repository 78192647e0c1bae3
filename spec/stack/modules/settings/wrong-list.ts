export const middleware = './parts.js#outer'
