import { dirname, join, relative, resolve } from 'node:path'
import { format, resolveConfig } from 'prettier'
import ts from 'typescript'
import { operationTypes } from './operation-types.ts'
import { clientOperations } from './src/tables.ts'

/** The published declarations of the SDK. */

const SDK = import.meta.dirname
const CORE_SRC = resolve(SDK, '../core/src')
const OPERATIONS = 'operations.d.ts'

/**
 * TypeScript emits one declaration per source file; those of core go to `core/`, and what the entry does not reach is
 * left out. In place of the types that are read from the contract goes what is made of it. The program has no Node types and no "node" condition, so it fails where the SDK would in a browser.
 */
export async function declarations(entry: string): Promise<Map<string, string>> {
  const program = ts.createProgram([entry], COMPILER_OPTIONS)
  const emitted = new Map<string, string>()
  const { diagnostics } = program.emit(undefined, (_, text, __, ___, sources) => {
    const source = sources?.[0]
    if (source) emitted.set(outputOf(source.fileName), text)
  })
  const problems = [...ts.getPreEmitDiagnostics(program), ...diagnostics]
  if (problems.length > 0) throw new Error(ts.formatDiagnostics(problems, formatHost))
  const style = await resolveConfig(entry)
  emitted.set(OPERATIONS, await format(operationTypes(clientOperations), { ...style, parser: 'typescript' }))
  return new Map(
    [...reachable(outputOf(entry), emitted)].map((path) => [path, rewriteImports(path, emitted.get(path) ?? '')]),
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
