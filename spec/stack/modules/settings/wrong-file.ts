export const middleware = ['./nowhere.js#nothing'] as const
