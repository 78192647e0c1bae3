export const middleware = ['./parts.js#nowhere'] as const
