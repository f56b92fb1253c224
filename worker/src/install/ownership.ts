import type { Stats } from 'node:fs'
import { chmod, lchown, lstat, readdir, realpath, rm } from 'node:fs/promises'
import { join, sep } from 'node:path'

/** Lends a folder to another user, and takes it back from whatever that user made of it. */

const FILE_MODE = 0o644
const PROGRAM_MODE = 0o755

/** Makes a folder and all in it belong to a user. */
export async function lend(folder: string, user: number): Promise<void> {
  for await (const { path } of entriesOf(folder)) await lchown(path, user, user)
}

/**
 * Makes the folder the worker's again, readable for all and writable for nobody else. `user` is whom it was lent to, all
 * of whose processes have ended; null if it was nobody else. Links that lead out of the folder are removed. Returns what
 * may not be in it: something that is neither file, folder nor link, or a link to somebody else's file; null if
 * there is nothing like that.
 */
export async function takeBack(folder: string, user: number | null): Promise<string | null> {
  const [me, group] = [process.getuid!(), process.getgid!()]
  const root = await realpath(folder)
  // A file with two names comes twice, and is the worker's the second time.
  const taken = new Set<number>()
  for await (const { path, info } of entriesOf(folder)) {
    if (taken.has(info.ino)) continue
    if (info.uid !== (user ?? me)) return path
    taken.add(info.ino)
    if (info.isSymbolicLink()) {
      if (!(await leadsInto(root, path))) await rm(path)
      else await lchown(path, me, group)
      continue
    }
    if (!info.isFile() && !info.isDirectory()) return path
    await lchown(path, me, group)
    await chmod(path, info.isDirectory() || (info.mode & 0o111) !== 0 ? PROGRAM_MODE : FILE_MODE)
  }
  return null
}

async function leadsInto(root: string, link: string): Promise<boolean> {
  const target = await realpath(link).catch(() => null)
  return target !== null && (target === root || target.startsWith(root + sep))
}

interface Entry {
  path: string
  info: Stats
}

/** The folder itself and all that is in it; folders come before what they hold. */
async function* entriesOf(folder: string): AsyncGenerator<Entry> {
  const info = await lstat(folder)
  yield { path: folder, info }
  if (!info.isDirectory()) return
  for (const name of await readdir(folder)) yield* entriesOf(join(folder, name))
}
