import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { build } from 'esbuild'
import ts from 'typescript'

const SDK = import.meta.dirname
const CORE_SRC = resolve(SDK, '../core/src')
const ENTRY = join(SDK, 'src/index.ts')

/**
 * Writes the package's `dist` folder: one bundle with core in it, and declarations that import nothing from outside the
 * folder. Throws when the SDK does not compile against the web platform alone; the folder is then as it was.
 */
export async function buildSdk(dist = join(SDK, 'dist')): Promise<void> {
  const files = new Map([...(await bundle()), ...declarations()])
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
    // Shorter, and readable all the same.
    minifySyntax: true,
    sourcemap: true,
    legalComments: 'inline',
    logLevel: 'error',
    write: false,
  })
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]))
}

/**
 * TypeScript emits one declaration per source file; those of core go to `core/`, and what the entry does not reach is
 * left out. The program has no Node types and no "node" condition, so it fails where the SDK would in a browser.
 */
function declarations(): Map<string, string> {
  const program = ts.createProgram([ENTRY], COMPILER_OPTIONS)
  const emitted = new Map<string, string>()
  const { diagnostics } = program.emit(undefined, (_, text, __, ___, sources) => {
    const source = sources?.[0]
    if (source) emitted.set(outputOf(source.fileName), text)
  })
  const problems = [...ts.getPreEmitDiagnostics(program), ...diagnostics]
  if (problems.length > 0) throw new Error(ts.formatDiagnostics(problems, formatHost))
  return new Map(
    [...reachable(outputOf(ENTRY), emitted)].map((path) => [path, rewriteImports(path, emitted.get(path) ?? '')]),
  )
}

const COMPILER_OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts', 'lib.es2024.string.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  types: [],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  // Past node_modules, from where TypeScript emits nothing.
  paths: { '@vitrine/core/*': [`${CORE_SRC}/*.ts`] },
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  allowImportingTsExtensions: true,
  declaration: true,
  emitDeclarationOnly: true,
  skipLibCheck: true,
}

/** Where a source's declaration goes, below the dist folder. */
function outputOf(source: string): string {
  const isCore = !relative(CORE_SRC, source).startsWith('..')
  const path = isCore ? join('core', relative(CORE_SRC, source)) : relative(join(SDK, 'src'), source)
  return path.replace(/\.ts$/, '.d.ts')
}

function reachable(entry: string, emitted: Map<string, string>, seen = new Set<string>()): Set<string> {
  const text = emitted.get(entry)
  if (text === undefined) throw new Error(`The declarations refer to ${entry}, which is not part of the SDK.`)
  if (seen.has(entry)) return seen
  seen.add(entry)
  for (const { fileName } of importsOf(text)) reachable(targetOf(entry, fileName), emitted, seen)
  return seen
}

function rewriteImports(file: string, text: string): string {
  // From the end, so that the positions before stay right.
  return importsOf(text)
    .toReversed()
    .reduce((rewritten, { fileName, pos, end }) => {
      const path = relative(dirname(file), targetOf(file, fileName)).replace(/\.d\.ts$/, '.js')
      const quoted = `"${path.startsWith('.') ? path : `./${path}`}"`
      return rewritten.slice(0, pos) + quoted + rewritten.slice(end)
    }, text)
}

/** Every module a declaration names, with the place of its quoted specifier. */
function importsOf(text: string): ts.FileReference[] {
  // TypeScript puts `pos` at the opening quote and counts `end` without either.
  return ts
    .preProcessFile(text, true, true)
    .importedFiles.map((file) => ({ ...file, end: file.pos + file.fileName.length + 2 }))
}

/** The declaration that a specifier stands for. */
function targetOf(file: string, specifier: string): string {
  const core = /^@vitrine\/core\/(.+)$/.exec(specifier)?.[1]
  if (core !== undefined) return join('core', `${core}.d.ts`)
  return join(dirname(file), specifier.replace(/\.ts$/, '.d.ts'))
}

const formatHost: ts.FormatDiagnosticsHost = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => SDK,
  getNewLine: () => '\n',
}

if (import.meta.main) await buildSdk()
