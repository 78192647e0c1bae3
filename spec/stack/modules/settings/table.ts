export const routes = './parts.js#table'
