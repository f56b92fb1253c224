import { readFile, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fail, ok, type Result } from '@vitrine/core/result'

/**
 * Absolute path of a package's executable script: its only one, or the one with the last part of the package's name.
 * Errors: upstream_invalid if there is none, if there are several, or if it is outside the package.
 */
export async function findBin(packageFolder: string, packageName: string): Promise<Result<string>> {
  const manifest = await readManifest(packageFolder)
  const path = binOf(manifest?.['bin'], packageName)
  if (path === null) return fail('upstream_invalid', `${packageName} has no executable of its own name.`)
  try {
    const root = await realpath(packageFolder)
    const script = await realpath(join(root, path))
    if (script.startsWith(root + sep)) return ok(script)
    return fail('upstream_invalid', `The executable of ${packageName} is outside of the package.`)
  } catch {
    return fail('upstream_invalid', `${packageName} names an executable that it does not contain.`)
  }
}

async function readManifest(folder: string): Promise<Record<string, unknown> | null> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    return isRecord(manifest) ? manifest : null
  } catch {
    return null
  }
}

function binOf(bin: unknown, packageName: string): string | null {
  if (typeof bin === 'string') return bin
  if (!isRecord(bin)) return null
  const paths = Object.entries(bin).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  const named = paths.find(([name]) => name === packageName.slice(packageName.indexOf('/') + 1))
  return named?.[1] ?? (paths.length === 1 ? paths[0]![1] : null)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
