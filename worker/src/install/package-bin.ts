import { open, readFile, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fail, ok, type Result } from '@vitrine/core/result'

/**
 * Absolute path of a package's executable script: the one named `wanted`, else its only one, or the one with the last
 * part of the package's name. Errors: upstream_invalid if there is none, if there are several, if it is outside the
 * package, or if it is not for Node.
 */
export async function findBin(packageFolder: string, packageName: string, wanted?: string): Promise<Result<string>> {
  const bins = binsOf(await readManifest(packageFolder), packageName)
  const path = chosen(bins, ownName(packageName), wanted)
  if (path === undefined) return fail('upstream_invalid', noneChosen(packageName, [...bins.keys()], wanted))
  try {
    const root = await realpath(packageFolder)
    const script = await realpath(join(root, path))
    if (!script.startsWith(root + sep))
      return fail('upstream_invalid', `The executable of ${packageName} is outside of the package.`)
    const runtime = await foreignRuntime(script)
    if (runtime !== null)
      return fail('upstream_invalid', `The executable of ${packageName} is ${runtime}, and servers are run by Node.`)
    return ok(script)
  } catch {
    return fail('upstream_invalid', `${packageName} names an executable that it does not contain.`)
  }
}

/** Executables by name. */
type Bins = ReadonlyMap<string, string>

function chosen(bins: Bins, own: string, wanted: string | undefined): string | undefined {
  if (wanted !== undefined) return bins.get(wanted)
  return bins.get(own) ?? (bins.size === 1 ? [...bins.values()][0] : undefined)
}

const NAMES_LENGTH_MAX = 200

function noneChosen(packageName: string, names: string[], wanted: string | undefined): string {
  if (names.length === 0)
    return `${packageName} has no executable (bin in its package.json), so there is no server in it; it may be a library.`
  const listed = names.join(', ').slice(0, NAMES_LENGTH_MAX)
  return wanted === undefined
    ? `${packageName} has several executables and none of its own name. Say in bin which one is the server: ${listed}.`
    : `${packageName} has no executable ${wanted}, but these: ${listed}.`
}

async function readManifest(folder: string): Promise<Record<string, unknown> | null> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    return isRecord(manifest) ? manifest : null
  } catch {
    return null
  }
}

function binsOf(manifest: Record<string, unknown> | null, packageName: string): Bins {
  const bin = manifest?.['bin']
  if (typeof bin === 'string') return new Map([[ownName(packageName), bin]])
  const entries = isRecord(bin) ? Object.entries(bin) : []
  return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

function ownName(packageName: string): string {
  return packageName.slice(packageName.indexOf('/') + 1)
}

const HEAD_BYTES = 256

/** What a file is that Node can't run; null if it can. */
async function foreignRuntime(file: string): Promise<string | null> {
  const opened = await open(file)
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    const head = buffer.toString('latin1', 0, bytesRead)
    const first = head.startsWith('#!') ? head.split(/\r?\n/, 1)[0]!.slice(2).trim() : null
    if (first !== null) return /\bnode(?:js)?\b/.test(first) ? null : `a script for ${first.slice(0, 60)}`
    return head.includes('\0') ? 'a program of its own' : null
  } finally {
    await opened.close()
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
