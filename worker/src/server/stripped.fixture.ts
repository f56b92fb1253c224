import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { basename, join } from 'node:path'

/**
 * Strips the types from a script beforehand, and returns the path of the result. Servers start without node's compile
 * cache, and stripping would take most of the start.
 */
export function withoutTypes(file: string): string {
  const folder = join(import.meta.dirname, '../../../.cache/fixtures')
  mkdirSync(folder, { recursive: true })
  const script = join(folder, `${basename(file, '.ts')}.mjs`)
  // Other test files do the same at the same time.
  const part = `${script}.${process.pid}`
  writeFileSync(part, stripTypeScriptTypes(readFileSync(file, 'utf8')))
  renameSync(part, script)
  return script
}
