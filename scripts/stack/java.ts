/** Finds a Java that runs the Firestore emulator. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onPath } from './search-path.ts'

export interface Java {
  command: string
  /** Major version, such as 17. */
  version: number
}

/** Folders with a folder for each Java. Homebrew's hold all that it has installed. */
const JVM_FOLDERS = [
  '/usr/lib/jvm',
  '/Library/Java/JavaVirtualMachines',
  '/opt/homebrew/opt',
  '/usr/local/opt',
  '/home/linuxbrew/.linuxbrew/opt',
  'C:\\Program Files\\Eclipse Adoptium',
]

/** Where each of those folders has the program: on Linux and for Homebrew, on macOS, on Windows. */
const IN_JVM = ['bin/java', 'Contents/Home/bin/java', 'bin/java.exe']

/**
 * Finds Java `versionMin` or later: JAVA_HOME when it is set, otherwise PATH, then the usual folders.
 * Errors: none found, too old, or a wrong JAVA_HOME; the message says what to do.
 */
export async function findJava(
  versionMin: number,
  env: NodeJS.ProcessEnv = process.env,
  folders: readonly string[] = JVM_FOLDERS,
): Promise<Java> {
  const found = await lookForJava(versionMin, env, folders)
  if ('problem' in found) throw new Error(`${found.problem} Install Java ${versionMin} or later.`)
  return found
}

/** The same, with a problem for what an installation would mend. Errors: a wrong JAVA_HOME, which it would not. */
export async function lookForJava(
  versionMin: number,
  env: NodeJS.ProcessEnv,
  folders: readonly string[] = JVM_FOLDERS,
): Promise<Java | { problem: string }> {
  const home = env['JAVA_HOME']
  if (home) {
    const java = await probe(join(home, 'bin/java'))
    const advice = `Correct or unset JAVA_HOME; Java ${versionMin} or later is needed.`
    if (java === null) throw new Error(`There is no working Java at JAVA_HOME=${home}. ${advice}`)
    if (java.version < versionMin) throw new Error(`Java ${java.version} at JAVA_HOME=${home} is too old. ${advice}`)
    return java
  }
  let tooOld: Java | null = null
  for (const command of candidates(env, folders)) {
    const java = await probe(command)
    if (java !== null && java.version >= versionMin) return java
    tooOld ??= java
  }
  return {
    problem:
      tooOld === null
        ? 'Java is missing: the Firestore emulator needs it.'
        : `Java ${tooOld.version} at ${tooOld.command} is too old.`,
  }
}

function candidates(env: NodeJS.ProcessEnv, folders: readonly string[]): string[] {
  const installed = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).flatMap((name) => IN_JVM.map((file) => join(folder, name, file))))
  return [...onPath('java', env), ...installed.filter((file) => existsSync(file))]
}

/** Null when it does not run: macOS has a `java` that only asks the user to install one. */
async function probe(command: string): Promise<Java | null> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, ['-version'])
    const version = versionOf(stdout + stderr)
    return version === null ? null : { command, version }
  } catch {
    return null
  }
}

/** `version "17.0.15"` is 17, `version "1.8.0_392"` is 8. */
function versionOf(text: string): number | null {
  const match = /version "(?:1\.)?(\d+)/.exec(text)
  return match ? Number(match[1]) : null
}
