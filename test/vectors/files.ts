import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/**
 * The standard vectors, which are not part of this repository: the folder `VITRINE_VECTORS`, or a default near the
 * checkout. Undefined if it is missing; the tests then say so and do not run.
 */
export const vectors = find()

function find(): string | undefined {
  const root = process.env['VITRINE_VECTORS'] ?? path.resolve(import.meta.dirname, '../../../shared/vectors')
  if (existsSync(root)) return root
  console.log(`standard vectors: none at ${root} (set VITRINE_VECTORS); their tests do not run`)
  return undefined
}

/** A file of the vectors, or a failure that names it. */
export function readVector(...names: string[]): Buffer {
  return readFileSync(path.join(vectors ?? '', ...names))
}

/** The files below a folder of the vectors, relative to it, sorted. */
export function listVectors(...names: string[]): string[] {
  const folder = path.join(vectors ?? '', ...names)
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.map((file) => path.relative(folder, path.join(file.parentPath, file.name))).sort()
}
