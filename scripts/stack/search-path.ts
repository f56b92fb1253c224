/** Looks for programs where a shell would. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const SUFFIX = process.platform === 'win32' ? '.exe' : ''

/** The files on PATH that have a program's name, first match first. */
export function onPath(program: string, env: NodeJS.ProcessEnv): string[] {
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program + SUFFIX))
    .filter((file) => existsSync(file))
}
