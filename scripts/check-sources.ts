import { ESLint } from 'eslint'
import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from './stack/paths.ts'

/**
 * Checks types, then lints, with one TypeScript program: ESLint's rules ask for the same types, and to find them twice
 * takes longer than everything else that the two do. Prints what they find, and exits with 1 if it is anything.
 */
async function checkSources(): Promise<boolean> {
  const program = readProgram()
  const errors = ts.getPreEmitDiagnostics(program)
  if (errors.length > 0) console.log(ts.formatDiagnosticsWithColorAndContext(errors, FORMAT))
  const findings = await lint(program)
  if (findings !== '') console.log(findings)
  return errors.length === 0 && findings === ''
}

const FORMAT: ts.FormatDiagnosticsHost = {
  getCurrentDirectory: () => ROOT,
  getCanonicalFileName: (name) => name,
  getNewLine: () => '\n',
}

/** Throws when tsconfig.json cannot be read. */
function readProgram(): ts.Program {
  const fail = (diagnostic: ts.Diagnostic): never => {
    throw new Error(ts.formatDiagnostic(diagnostic, FORMAT))
  }
  const config = ts.getParsedCommandLineOfConfigFile(
    join(ROOT, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail },
  )!
  config.errors.forEach(fail)
  return ts.createProgram({ rootNames: config.fileNames, options: config.options })
}

/** Errors and warnings as text; empty when there is none. */
async function lint(program: ts.Program): Promise<string> {
  const eslint = new ESLint({
    cwd: ROOT,
    overrideConfig: {
      files: ['**/*.ts'],
      languageOptions: { parserOptions: { projectService: false, programs: [program] } },
    },
  })
  const { format } = await eslint.loadFormatter('stylish')
  return format(await eslint.lintFiles('.'))
}

process.exitCode = (await checkSources()) ? 0 : 1
