import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { build } from 'esbuild'
import { declarations } from './declarations.ts'
import { tablesPlugin } from './tables-plugin.ts'

const SDK = import.meta.dirname
const ENTRY = join(SDK, 'src/index.ts')

/**
 * Writes the package's `dist` folder: one bundle with core in it, and declarations that import nothing from outside the
 * folder. Throws when the SDK does not compile against the web platform alone; the folder is then as it was.
 */
export async function buildSdk(dist = join(SDK, 'dist')): Promise<void> {
  const files = new Map([...(await bundle()), ...(await declarations(ENTRY))])
  for (const [path, contents] of files) replaceFile(join(dist, path), contents)
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !files.has(relative(dist, path))) rmSync(path, { force: true })
  }
}

/** Whoever reads during a build sees the old file or the new one, never half of it. */
function replaceFile(path: string, contents: string): void {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, contents)
  renameSync(temporary, path)
}

async function bundle(): Promise<Map<string, string>> {
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    outfile: join(SDK, 'dist/index.js'),
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    // No "node" condition: core then brings the implementations that browsers can run.
    conditions: [],
    plugins: [tablesPlugin],
    // Shorter, and readable all the same.
    minifySyntax: true,
    sourcemap: true,
    legalComments: 'inline',
    logLevel: 'error',
    write: false,
  })
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]))
}

if (import.meta.main) await buildSdk()
