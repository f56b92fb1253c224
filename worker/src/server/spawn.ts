import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import type { ServerLimits } from '@vitrine/core/policy/server-config'
import { FILE_BYTES_MAX, NICENESS, NPROC_MAX, OPEN_FILES_MAX } from './bounds.ts'
import type { Containment } from './containment.ts'

export interface SpawnRequest {
  /** Absolute. */
  file: string
  args: string[]
  /** All that it gets. */
  env: Record<string, string>
  folder: string
  user: number | null
  limits: ServerLimits
  /** The cgroups to be in before any code of the server runs (`Group.doors`). */
  doors: string[]
  containment: Containment
}

/** Starts a server's first process, contained as far as this machine lets us. It has no pid when it could not be started. */
export function spawnContained({ file, args, env, folder, user, limits, doors, containment }: SpawnRequest) {
  const command = [...wrappers(containment, user), file, ...nodeOptions(file, limits), ...args]
  const enters = doors.length > 0
  const [first, ...rest] = enters ? entering(doors, user, command) : command
  const child = spawn(first!, rest, {
    cwd: folder,
    env: enters ? prefixed(env) : env,
    stdio: ['pipe', 'pipe', 'pipe'],
    // A session, and so a process group, of its own.
    detached: true,
    shell: false,
    ...(user !== null && !enters && { uid: user, gid: user }),
  })
  child.on('error', () => undefined)
  // Then it has no pipes either.
  if (child.pid === undefined) return child
  child.stdin.on('error', () => undefined)
  lowerPriority(child.pid)
  return child
}

/**
 * A process of ours that enters the cgroups, gives up its user and becomes the server: so nothing of the server runs outside. A process
 * that is moved from outside could have started others before. Node ignores two signals, which would be passed on; to stop listening sets them
 * back. A worker that ended meanwhile could not end the server any more.
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

/** It still has the rights of the worker, so no variable of the server may mean anything to it (NODE_OPTIONS, LD_PRELOAD). */
function prefixed(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [`_${name}`, value]))
}

/**
 * Programs of util-linux that set limits and then become the next one: no process more, no shell. The kernel ends the server when the
 * worker ends in whatever way.
 */
function wrappers({ prlimit, setpriv }: Containment, user: number | null): string[] {
  const sizes = ['--core=0', `--nofile=${OPEN_FILES_MAX}`, `--fsize=${FILE_BYTES_MAX}`]
  // The kernel counts per user: with the worker's own, all servers and the worker would share the bound.
  const processes = user === null ? [] : [`--nproc=${NPROC_MAX}`]
  return [
    ...(prlimit === null ? [] : [prlimit, ...sizes, ...processes]),
    ...(setpriv === null ? [] : [setpriv, '--no-new-privs', '--inh-caps=-all', '--pdeathsig=KILL']),
  ]
}

/** V8 reserves far more address space than it uses, so RLIMIT_AS would only break it. It keeps its own heap within bounds if told. */
function nodeOptions(file: string, { memoryMb }: ServerLimits): string[] {
  return file === process.execPath ? [`--max-old-space-size=${Math.max(32, Math.floor(memoryMb * 0.75))}`] : []
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, NICENESS)
  } catch {
    // It has ended already.
  }
}
