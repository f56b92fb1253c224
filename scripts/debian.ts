import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Makes sure that a command is on PATH, from the Debian package of that name where we may. Errors: one line that says what to install. */
export function ensureCommand(command: string, debianPackage: string): void {
  if (isOnPath(command)) return
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) throw new Error(`${command} is missing: install it (Debian: apt-get install ${debianPackage}).`)
  console.log(`Installing ${debianPackage} …`)
  for (const args of [['update'], ['install', '--yes', '--no-install-recommends', debianPackage]]) {
    spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  }
  if (!isOnPath(command)) throw new Error(`${command} is missing and apt-get cannot install ${debianPackage}.`)
}

function isOnPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, command)))
}
