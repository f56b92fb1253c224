import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

export interface Java {
  command: string
  /** Major version, such as 17. */
  version: number
}

const JVM_FOLDERS = ['/usr/lib/jvm', '/Library/Java/JavaVirtualMachines']

/**
 * Finds Java `versionMin` or later: `JAVA_HOME` when it is set, otherwise PATH, then the usual folders.
 * Errors: none found, too old, or a JAVA_HOME that is wrong; the message says what to do.
 */
export async function findJava(
  versionMin: number,
  env: NodeJS.ProcessEnv = process.env,
  folders: readonly string[] = JVM_FOLDERS,
): Promise<Java> {
  const advice = `Install Java ${versionMin} or later (Debian: apt-get install default-jre-headless).`
  const home = env['JAVA_HOME']
  if (home) {
    const java = await probe(join(home, 'bin/java'))
    if (java === null)
      throw new Error(`There is no working Java at JAVA_HOME=${home}: correct or unset JAVA_HOME. ${advice}`)
    if (java.version < versionMin) throw new Error(`Java ${java.version} at JAVA_HOME=${home} is too old. ${advice}`)
    return java
  }
  let oldest: Java | null = null
  for (const command of candidates(env['PATH'] ?? '', folders)) {
    const java = await probe(command)
    if (java !== null && java.version >= versionMin) return java
    oldest ??= java
  }
  throw new Error(
    oldest === null
      ? `Java is missing: the Firestore emulator needs it. ${advice}`
      : `Java ${oldest.version} at ${oldest.command} is too old. ${advice}`,
  )
}

function candidates(path: string, folders: readonly string[]): string[] {
  const onPath = path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'java'))
  const installed = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  return [
    ...onPath,
    ...installed.flatMap((jvm) => [join(jvm, 'bin/java'), join(jvm, 'Contents/Home/bin/java')]),
  ].filter((file) => existsSync(file))
}

/** Null when it is not there or does not run: macOS has a `java` that only asks to install one. */
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
