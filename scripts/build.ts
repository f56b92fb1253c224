import { build as bundle, stop, type BuildOptions, type OutputFile } from 'esbuild'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { tablesPlugin } from '../sdk/tables-plugin.ts'
import { ROOT } from './stack/paths.ts'

interface Artifact {
  folder: string
  entry: string
  outfile: string
  options: BuildOptions
}

/** The runtime of the functions and of the worker's image is fixed; the tools run on whatever a person has, from the oldest that their `engines` name. */
const SERVICE: BuildOptions = { platform: 'node', target: 'node24' }
const TOOL: BuildOptions = { platform: 'node', target: 'node20' }

/** For Node, yaml names its CommonJS, which calls require: a bundle of modules has none. */
const YAML_MODULES = join(ROOT, 'node_modules/yaml/browser/index.js')

const ARTIFACTS: readonly Artifact[] = [
  { folder: 'functions', entry: 'src/index.ts', outfile: 'lib/index.js', options: SERVICE },
  { folder: 'functions', entry: 'src/answers/thread.ts', outfile: 'lib/answer-thread.js', options: SERVICE },
  { folder: 'worker', entry: 'src/main.ts', outfile: 'lib/main.js', options: SERVICE },
  { folder: 'verify', entry: 'src/cli.ts', outfile: 'dist/cli.js', options: TOOL },
  { folder: 'cli', entry: 'src/cli.ts', outfile: 'dist/cli.js', options: { ...TOOL, alias: { yaml: YAML_MODULES } } },
]

/** Bundles what runs here; the SDK, whose type declarations take longer, has a build of its own. Throws when a bundle fails. */
export async function build(): Promise<void> {
  await Promise.all(ARTIFACTS.filter(isWritten).map(buildArtifact))
  // Otherwise esbuild's own process stays as long as this one.
  await stop()
}

function isWritten({ folder, entry }: Artifact): boolean {
  return existsSync(join(ROOT, folder, entry))
}

/** What a package lists under `dependencies` stays external, everything else (core) is bundled: what is uploaded can be installed. */
async function buildArtifact({ folder, entry, outfile, options }: Artifact): Promise<void> {
  const manifest = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
  }
  const { outputFiles } = await bundle({
    ...options,
    absWorkingDir: join(ROOT, folder),
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    sourcemap: true,
    external: Object.keys(manifest.dependencies ?? {}),
    plugins: [tablesPlugin],
    logLevel: 'error',
    write: false,
  })
  await Promise.all(outputFiles.map(replaceFile))
}

/** A process that starts during a build must see the old bundle or the new one, never half of it. */
async function replaceFile({ path, contents }: OutputFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}`
  await writeFile(temporary, contents)
  await rename(temporary, path)
}

if (import.meta.main) {
  const { buildSdk } = await import('../sdk/build.ts')
  await build()
  await buildSdk()
}
