import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isExactVersion, isIntegrity, type Pin } from '@vitrine/core/policy'
import { fail, ok, type Result } from '@vitrine/core/result'

interface LockEntry {
  version?: unknown
  integrity?: unknown
  link?: unknown
  inBundle?: unknown
}

/**
 * What npm installed, from the lockfile that it wrote (`packages` of lockfileVersion 3). Errors: upstream_invalid when anything in it did
 * not come from the registry, where all that comes has an integrity.
 */
export async function readPin(folder: string, packageName: string): Promise<Result<Pin>> {
  const { packages } = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockEntry> }
  for (const [path, entry] of Object.entries(packages)) {
    if (path === '' || (!entry.link && (typeof entry.integrity === 'string' || entry.inBundle === true))) continue
    return fail('upstream_invalid', `${packageName} depends on something that is not from the registry: ${path.slice(0, 200)}.`)
  }
  const { version, integrity } = packages[`node_modules/${packageName}`] ?? {}
  if (typeof version !== 'string' || !isExactVersion(version) || typeof integrity !== 'string' || !isIntegrity(integrity)) {
    return fail('upstream_invalid', `The registry states no version and integrity (sha512) of ${packageName}.`)
  }
  return ok({ version, integrity })
}
