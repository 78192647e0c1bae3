/** The raw path as an application that is mounted at `rootPath` sees it: never empty. */
export function pathBeneath({ rawPath, rootPath }: { readonly rawPath: string; readonly rootPath: string }): string {
  if (rootPath === '' || rawPath === '*') return rawPath
  const rest = rawPath.startsWith(rootPath) ? rawPath.slice(rootPath.length) : withoutSegments(rawPath, rootPath.split('/').length - 1)
  return rest.startsWith('/') ? rest : '/' + rest
}

/** A root path whose escapes are written another way than in the path has as many segments all the same. */
function withoutSegments(rawPath: string, count: number): string {
  let at = 0
  for (let i = 0; i < count && at >= 0; i++) at = rawPath.indexOf('/', at + 1)
  return at < 0 ? '' : rawPath.slice(at)
}
