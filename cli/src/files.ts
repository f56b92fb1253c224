import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { badUsage } from './bad-usage.ts'
import type { Io } from './io.ts'

/** Beyond any proof, checkpoint or file of keys. */
const INPUT_LENGTH_MAX = 4 * 1024 * 1024

/** A small file, or standard input for `-`. Throws bad usage. */
export async function readInput(path: string, { cwd, input }: Pick<Io, 'cwd' | 'input'>): Promise<string> {
  const content = await (path === '-'
    ? input()
    : readFile(resolve(cwd, path), 'utf8').catch((error: unknown) => fail(path, 'read', error)))
  if (content.length > INPUT_LENGTH_MAX) throw badUsage(`${path} is too large`)
  return content
}

/** Never in place of another file: what is held as evidence must not be lost to what came later. Throws bad usage. */
export async function writeNew(path: string, content: string, { cwd }: Pick<Io, 'cwd'>): Promise<void> {
  await writeFile(resolve(cwd, path), content, { flag: 'wx' }).catch((error: unknown) => fail(path, 'written', error))
}

/** For `catch`. Throws bad usage. */
export function fail(path: string, done: 'read' | 'written', error: unknown): never {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
  throw badUsage(code === 'EEXIST' ? `${path} exists already` : `${path} cannot be ${done} (${code})`)
}
