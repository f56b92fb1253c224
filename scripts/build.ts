import { build as bundle, stop, type BuildOptions, type OutputFile } from 'esbuild'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { tablesPlugin } from '../sdk/tables-plugin.ts'
import { ROOT } from './stack/paths.ts'

interface Artifact {
  folder: string
  /** The bundle of each entry, below `folder`. */
  entries: Record<string, string>
  options: BuildOptions
}

/** The runtime of the functions and of the worker's image is fixed; the tools run on whatever a person has, from the oldest that their `engines` name. */
const SERVICE: BuildOptions = { platform: 'node', target: 'node24' }
const TOOL: BuildOptions = { platform: 'node', target: 'node20' }

/** For Node, yaml names its CommonJS, which calls require: a bundle of modules has none. */
const YAML_MODULES = join(ROOT, 'node_modules/yaml/browser/index.js')

const ARTIFACTS: readonly Artifact[] = [
  {
    folder: 'functions',
    entries: { 'lib/index': 'src/index.ts', 'lib/answer-thread': 'src/answers/thread.ts' },
    // What a function loads by itself, with `import()`, is in files of its own.
    options: { ...SERVICE, splitting: true, chunkNames: 'lib/chunk-[hash]' },
  },
  { folder: 'worker', entries: { 'lib/main': 'src/main.ts' }, options: SERVICE },
  { folder: 'verify', entries: { 'dist/cli': 'src/cli.ts' }, options: TOOL },
  { folder: 'cli', entries: { 'dist/cli': 'src/cli.ts' }, options: { ...TOOL, alias: { yaml: YAML_MODULES } } },
]

/** Bundles what runs here; the SDK, whose type declarations take longer, has a build of its own. Throws when a bundle fails. */
export async function build(): Promise<void> {
  await Promise.all(ARTIFACTS.filter(isWritten).map(buildArtifact))
  // Otherwise esbuild's own process stays as long as this one.
  await stop()
}

function isWritten({ folder, entries }: Artifact): boolean {
  return Object.values(entries).every((entry) => existsSync(join(ROOT, folder, entry)))
}

/** What a package lists under `dependencies` stays external, everything else (core) is bundled: what is uploaded can be installed. */
async function buildArtifact({ folder, entries, options }: Artifact): Promise<void> {
  const manifest = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
  }
  const { outputFiles } = await bundle({
    ...options,
    absWorkingDir: join(ROOT, folder),
    entryPoints: entries,
    outdir: join(ROOT, folder),
    bundle: true,
    format: 'esm',
    sourcemap: true,
    external: Object.keys(manifest.dependencies ?? {}),
    plugins: [tablesPlugin],
    logLevel: 'error',
    write: false,
  })
  // Those that others import come first. Older chunks stay, for processes that started before and have not loaded them.
  const isEntry = ({ path }: OutputFile) =>
    Object.keys(entries).some((entry) => path === join(ROOT, folder, `${entry}.js`))
  await Promise.all(outputFiles.filter((file) => !isEntry(file)).map(replaceFile))
  await Promise.all(outputFiles.filter(isEntry).map(replaceFile))
  if (options.splitting) await removeOldChunks(join(ROOT, folder, 'lib'), outputFiles)
}

const CHUNK_KEPT_MS = 3_600_000

async function removeOldChunks(dir: string, outputFiles: readonly OutputFile[]): Promise<void> {
  const current = new Set(outputFiles.map(({ path }) => path))
  for (const name of await readdir(dir)) {
    const path = join(dir, name)
    if (!name.startsWith('chunk-') || current.has(path)) continue
    if (Date.now() - (await stat(path)).mtimeMs > CHUNK_KEPT_MS) await rm(path)
  }
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
