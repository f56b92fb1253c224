import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import type { ServerLimits } from '@vitrine/core/policy/server-config'
import { FILE_BYTES_MAX, NICENESS, NPROC_MAX, OPEN_FILES_MAX } from './bounds.ts'
import type { Containment } from './containment.ts'

/** Starts a server's first process inside its containment. */

export interface SpawnRequest {
  /** Absolute path. */
  file: string
  args: string[]
  /** All of its variables. */
  env: Record<string, string>
  folder: string
  user: number | null
  limits: ServerLimits
  /** The cgroups to enter before any code of the server runs (`Group.doors`). */
  doors: string[]
  containment: Containment
}

/**
 * Starts a server's first process, contained as far as this machine allows. The process has no pid if it could not be
 * started.
 */
export function spawnContained({ file, args, env, folder, user, limits, doors, containment }: SpawnRequest) {
  const command = [...wrappers(containment, user), file, ...nodeOptions(file, limits), ...args]
  const enters = doors.length > 0
  const [first, ...rest] = enters ? entering(doors, user, command) : command
  const child = spawn(first!, rest, {
    cwd: folder,
    env: enters ? prefixed(env) : env,
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own session, and therefore its own process group.
    detached: true,
    shell: false,
    ...(user !== null && !enters && { uid: user, gid: user }),
  })
  child.on('error', () => undefined)
  // Without a pid it has no pipes.
  if (child.pid === undefined) return child
  child.stdin.on('error', () => undefined)
  lowerPriority(child.pid)
  return child
}

/**
 * A script of the worker that enters the cgroups, changes to the server's user and then becomes the server, so that no
 * code of the server runs outside: a process that is moved from outside could have started others before. Node ignores
 * two signals, which the server would inherit; adding and removing a listener resets them. If the worker has ended in
 * the meantime, nothing could end the server, so the script exits.
 */
const ENTER = `
const { writeFileSync } = require('node:fs')
const [doors, user, parent, file, ...args] = process.argv.slice(1)
for (const door of JSON.parse(doors)) writeFileSync(door, '0')
if (user !== '') {
  process.setgroups([])
  process.setgid(Number(user))
  process.setuid(Number(user))
}
for (const signal of ['SIGPIPE', 'SIGXFSZ']) process.on(signal, () => {}).removeAllListeners(signal)
if (process.ppid !== Number(parent)) process.exit(1)
process.execve(file, [file, ...args], Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name.slice(1), value])))
`

function entering(doors: string[], user: number | null, command: string[]): string[] {
  return [
    process.execPath,
    '--no-warnings',
    '-e',
    ENTER,
    '--',
    JSON.stringify(doors),
    String(user ?? ''),
    String(process.pid),
    ...command,
  ]
}

/**
 * Renames the server's variables: the script still has the worker's rights, so NODE_OPTIONS, LD_PRELOAD and the like
 * must not affect it.
 */
function prefixed(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [`_${name}`, value]))
}

/**
 * Programs of util-linux that set limits and then execute the next program, without another process or a shell. With
 * setpriv, the kernel kills the server when the worker ends for any reason.
 */
function wrappers({ prlimit, setpriv }: Containment, user: number | null): string[] {
  const sizes = ['--core=0', `--nofile=${OPEN_FILES_MAX}`, `--fsize=${FILE_BYTES_MAX}`]
  // The kernel counts processes per user: as the worker's own user, all servers and the worker would share the bound.
  const processes = user === null ? [] : [`--nproc=${NPROC_MAX}`]
  return [
    ...(prlimit === null ? [] : [prlimit, ...sizes, ...processes]),
    ...(setpriv === null ? [] : [setpriv, '--no-new-privs', '--inh-caps=-all', '--pdeathsig=KILL']),
  ]
}

/** RLIMIT_AS would break V8, which reserves far more address space than it uses. V8 limits its own heap if told to. */
function nodeOptions(file: string, { memoryMb }: ServerLimits): string[] {
  return file === process.execPath ? [`--max-old-space-size=${Math.max(32, Math.floor(memoryMb * 0.75))}`] : []
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, NICENESS)
  } catch {
    // It has already ended.
  }
}
