/** A bare repository in a folder of its own, with one commit. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const README = `# Playground

This repository lives as long as the server. Change it, commit, and push.
`

/** Runs git in a repository and gives what it prints. */
export function git(repository: string, args: readonly string[], input = ''): Promise<string> {
  const who = { name: 'tsgi', email: 'playground@localhost' }
  const env = {
    PATH: process.env['PATH'], GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: who.name, GIT_AUTHOR_EMAIL: who.email, GIT_COMMITTER_NAME: who.name, GIT_COMMITTER_EMAIL: who.email,
  }
  return new Promise((resolve, reject) => {
    const child = execFile('git', ['-C', repository, ...args], { env }, (error, stdout) => error === null ? resolve(stdout.trim()) : reject(error))
    child.stdin?.on('error', () => {}).end(input)
  })
}

/** Whether git is here, with the program that serves it over HTTP. */
export function hasGit(): boolean {
  try {
    // For want of a repository it answers with an error, which is an answer.
    return execFileSync('git', ['http-backend'], { env: { PATH: process.env['PATH'], REQUEST_METHOD: 'GET' }, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' }).startsWith('Status:')
  } catch {
    return false
  }
}

/** Makes `playground.git` in a new folder, which it returns. Everybody may push. */
export async function makeRepositories(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tsgi-git-'))
  const repository = join(folder, 'playground.git')
  await git(folder, ['init', '--quiet', '--bare', '--initial-branch=main', repository])
  await git(repository, ['config', 'http.receivepack', 'true'])
  // A collection of garbage in the background would be in the way when the folder is removed.
  await git(repository, ['config', 'gc.auto', '0'])
  await git(repository, ['config', 'receive.autogc', 'false'])
  const blob = await git(repository, ['hash-object', '-w', '--stdin'], README)
  const tree = await git(repository, ['mktree'], `100644 blob ${blob}\tREADME.md\n`)
  const commit = await git(repository, ['commit-tree', '-m', 'Begin', tree])
  await git(repository, ['update-ref', 'refs/heads/main', commit])
  return folder
}

/** Removes it. */
export async function removeRepositories(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
}
