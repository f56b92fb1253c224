import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { ROOT } from './stack/paths.ts'

/**
 * Writes the type declarations of `entry` and of the core modules it reaches to `{outDir}/types`, and `{outDir}/index.d.ts`
 * in front of them. Core is not published, so its specifiers become relative ones. Throws when the types do not hold.
 */
export function writeDeclarations(entry: string, outDir: string): void {
  const types = join(outDir, 'types')
  const program = ts.createProgram([entry], { ...compilerOptions(), noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: ROOT, outDir: types })
  const { diagnostics } = program.emit(undefined, (file, text) => {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text.replaceAll(SPECIFIER, (_, before: string, specifier: string) => before + rewrite(specifier, file, types)))
  })
  const problems = [...ts.getPreEmitDiagnostics(program), ...diagnostics]
  if (problems.length > 0) throw new Error(ts.formatDiagnostics(problems, { getCurrentDirectory: () => ROOT, getCanonicalFileName: (name) => name, getNewLine: () => '\n' }))
  const front = `./types/${relative(ROOT, entry).replace(/\.ts$/, '.js')}`
  writeFileSync(join(outDir, 'index.d.ts'), `export * from '${front}'\n`)
}

const SPECIFIER = /(\bfrom |\bimport\()(?<=from |import\()(?=['"])['"]([^'"]+)(?=['"])/g
const CORE = '@vitrine/core/'

function rewrite(specifier: string, file: string, types: string): string {
  if (specifier.startsWith(CORE)) return `'${relative(dirname(file), join(types, 'core/src', `${specifier.slice(CORE.length)}.js`))}`
  return `'${specifier.replace(/\.ts$/, '.js')}`
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as { config: unknown }
  return ts.parseJsonConfigFileContent(config, ts.sys, ROOT).options
}
