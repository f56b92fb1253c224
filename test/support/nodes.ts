import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** One executable for each Node release from 20 on that is on PATH, and the one that runs this. */
export async function findNodes(): Promise<[version: string, path: string][]> {
  const paths = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
  const found = new Map<string, string>()
  for (const path of [process.execPath, ...paths]) {
    const version = (await promisify(execFile)(path, ['--version'])).stdout.trim()
    if (Number.parseInt(version.slice(1), 10) >= 20 && !found.has(version)) found.set(version, path)
  }
  return [...found]
}
