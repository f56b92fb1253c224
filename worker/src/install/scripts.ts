import { existsSync } from 'node:fs'
import { chmod, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ServerLimits } from '@vitrine/core/policy/server-config'
import { fail, ok, type Result } from '@vitrine/core/result'
import { scriptsIn, type Locked } from './lockfile.ts'
import { npmScript } from './npm.ts'
import { lend, takeBack } from './ownership.ts'

/** Runs the install scripts of the packages that a policy names. */

/** All scripts of an installation together; compiling takes minutes. */
export const SCRIPTS_MS_MAX = 600_000

/** Runs programs as servers are run: as users of their own, within limits, without anything of the worker's. */
export interface Sandbox {
  /** Resolves when nothing of the program is left. Errors: upstream_invalid with how it ended and what it said. */
  run(program: SandboxedProgram, signal: AbortSignal): Promise<Result<null>>
}

export interface SandboxedProgram {
  /** Absolute path. */
  file: string
  args: string[]
  env: Record<string, string>
  limits: ServerLimits
  /** Called before it starts, with its user; null if it is the worker's own. */
  prepare(user: number | null): Promise<void>
}

/**
 * `npm rebuild` of exactly the chosen places; npm gives scripts the variables and the PATH that they expect. What they
 * leave must be files, and becomes the worker's again. Errors: upstream_invalid if one fails, or leaves something else.
 */
export async function runScripts(
  { folder, locked, limits }: { folder: string; locked: Locked; limits: ServerLimits },
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<Result<null>> {
  const here = await realpath(folder)
  const chosen = scriptsIn(locked).filter(({ path, runs }) => runs && existsSync(join(here, path)))
  const script = npmScript()
  if (chosen.length === 0) return ok(null)
  if (script === null) return fail('upstream_unreachable', 'npm is not installed where the worker runs.')
  const tree = join(here, 'node_modules')
  let lentTo: number | null = null
  // Its user must get to what it is lent. The folder itself stays the worker's.
  await chmod(here, 0o755)
  const ran = await sandbox.run(
    {
      file: process.execPath,
      args: [script, '--prefix', here, ...REBUILD, ...chosen.map(({ path }) => join(here, path))],
      env: ENVIRONMENT,
      limits,
      async prepare(user) {
        lentTo = user
        if (user !== null) await lend(tree, user)
      },
    },
    AbortSignal.any([signal, AbortSignal.timeout(SCRIPTS_MS_MAX)]),
  )
  const names = [...new Set(chosen.map(({ name }) => name))].join(', ')
  if (!ran.ok) return fail(ran.error.code, `The install scripts of ${names} failed: ${ran.error.message}`)
  const left = await takeBack(tree, lentTo)
  return left === null
    ? ok(null)
    : fail(
        'upstream_invalid',
        `The install scripts of ${names} left something that is no file: ${left.slice(here.length + 1)}.`,
      )
}

/** Bundled packages have no scripts of their own: nobody named them. Output goes to where the sandbox reads it. */
const REBUILD = [
  'rebuild',
  '--ignore-scripts=false',
  '--rebuild-bundle=false',
  '--foreground-scripts',
  '--script-shell=/bin/sh',
  '--no-audit',
  '--no-fund',
  '--no-update-notifier',
  '--logs-max=0',
  '--loglevel=error',
  '--global=false',
]

/** Node's headers beside its binary save node-gyp from fetching them. */
const HEADERS = dirname(dirname(process.execPath))

const ENVIRONMENT: Record<string, string> = {
  // Later versions of npm ask the project's package.json, where nothing is allowed.
  npm_config_dangerously_allow_all_scripts: 'true',
  ...(existsSync(join(HEADERS, 'include/node/node.h')) && { npm_config_nodedir: HEADERS }),
}
