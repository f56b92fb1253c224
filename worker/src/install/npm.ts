import { execFile, type ExecFileOptions } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fail, ok, type Result } from '@vitrine/core/result'

/** Runs npm, restricted to the registry. */

/** More than a large package needs on a slow connection. */
const INSTALL_MS_MAX = 180_000
const OUTPUT_BYTES_MAX = 1024 * 1024

/**
 * No script of a package runs, and everything comes from the registry: a dependency may name a git repository or a URL,
 * and git's configuration can name programs to run. For versions of npm without the `allow-` options, the check of the
 * lockfile refuses such dependencies, after npm has asked for them.
 */
const OPTIONS = [
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--no-update-notifier',
  '--omit=dev',
  '--package-lock=true',
  '--logs-max=0',
  '--loglevel=error',
  '--global=false',
  '--allow-git=none',
  '--allow-remote=none',
  '--allow-file=none',
  '--allow-directory=none',
  `--git=${join('/', 'nonexistent', 'git')}`,
]

/** The worker's variables that npm gets: how to reach the registry, and nothing else. */
const PASSED_ON = [
  /^npm_config_(?:(?:@[^:]+:)?registry|proxy|https_proxy|http_proxy|noproxy|cafile|ca|strict_ssl|userconfig|globalconfig|prefer_offline|fetch_\w+)$/i,
  /^npm_config_\/\//i,
  /^(?:https?_proxy|no_proxy|all_proxy)$/i,
  /^(?:NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/,
]

export interface NpmPaths {
  /** Holds npm's cache and its home folder. */
  cacheDir: string
  /** Holds the package.json and the lockfile. */
  folder: string
}

/**
 * `resolve` writes a lockfile for the folder's package.json; `install` installs the lockfile's packages. Each is tried in
 * these ways, one after the other, as long as `REPEATED` says so.
 */
const COMMANDS = { resolve: [['install', '--package-lock-only'], ['install']], install: [['ci']] } as const

/**
 * To list what a package bundles, npm 11 opens its tarball while it resolves, and takes it for one that a dependency
 * names by URL (@npmcli/arborist, build-ideal-tree.js, `crackOpen`). While it installs it knows better, and writes the
 * same lockfile. Dependencies that do name a URL are refused both ways.
 */
const REPEATED = 'EALLOWREMOTE'

/**
 * Runs npm in a folder, without a shell. Only files in the folder say what to install, so that npm can't take a name or
 * version for an option. Errors, with npm's error code in the message: upstream_invalid if the registry does not have
 * the package or it depends on something that is not in a registry, upstream_unreachable for anything else.
 */
export async function npm(
  command: keyof typeof COMMANDS,
  { cacheDir, folder }: NpmPaths,
  signal: AbortSignal,
): Promise<Result<void>> {
  const script = npmScript()
  if (script === null) return fail('upstream_unreachable', 'npm is not installed where the worker runs.')
  const home = join(cacheDir, 'home')
  await mkdir(home, { recursive: true })
  const options = {
    cwd: folder,
    env: npmEnvironment(cacheDir, home),
    timeout: INSTALL_MS_MAX,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_BYTES_MAX,
    signal,
  } as const
  let ended: Refusal | null = null
  for (const args of COMMANDS[command]) {
    ended = await run([script, ...args, ...OPTIONS], options)
    if (ended?.code !== REPEATED) break
  }
  if (ended === null) return ok(undefined)
  if (signal.aborted) return fail('upstream_unreachable', 'The installation was stopped.')
  const { code, what } = ended
  return fail(
    ANSWERS.has(code) ? 'upstream_invalid' : 'upstream_unreachable',
    `npm could not install it: ${CAUSES[code]?.(what) ?? code}.`,
  )
}

interface Refusal {
  /** npm's error code, or why it did not get that far. */
  code: string
  /** The package that it speaks of, as `name@range`, if it says so. */
  what: string | null
}

/** null if it succeeded. */
async function run(command: string[], options: ExecFileOptions): Promise<Refusal | null> {
  return new Promise((resolve) => {
    execFile(process.execPath, command, options, (error, _stdout, stderr) => {
      if (!error) return resolve(null)
      const said = String(stderr)
      resolve({
        code:
          /npm (?:error|ERR!) code (\S+)/.exec(said)?.[1] ??
          (error.killed ? 'ETIMEDOUT' : String(error.code ?? 'unknown')),
        what: SPEAKS_OF.exec(said)?.[1]?.slice(0, SPEC_LENGTH_MAX) ?? null,
      })
    })
  })
}

/** How npm names the package that there is not, or that it refuses (npm, lib/utils/error-message.js). */
const SPEAKS_OF =
  /(?:requested resource|No matching version found for|Refusing to fetch) ['"]?([^\s'"]+?)['".]*(?:\s|$)/
const SPEC_LENGTH_MAX = 200

/** npm would wait for a minute or more between tries. The keeper and the next call try again anyway. */
const SHORT_WAITS = { npm_config_fetch_retry_mintimeout: '500', npm_config_fetch_retry_maxtimeout: '2000' }

const elsewhere = (place: string, code: string) => (what: string | null) =>
  `it needs ${what ?? 'a package'} from ${place}, which is not from the registry (${code})`

const BY_NODE = 'a program that is not from npm is named in worker.yaml, and in the policy with node: true'
const named = (what: string | null): string => (what === null ? '' : `, ${what}`)

const CAUSES: Record<string, (what: string | null) => string> = {
  E404: (what) => `the registry has no such package${named(what)} (E404); ${BY_NODE}`,
  ENOVERSIONS: (what) => `the registry has no version of it${named(what)} (ENOVERSIONS); ${BY_NODE}`,
  // Every package that has versions has one called latest.
  ETARGET: (what) =>
    `there is no such version${named(what)} (ETARGET); ${what?.endsWith('@latest') ? BY_NODE : '"npm view NAME versions" lists those that there are'}`,
  EINTEGRITY: () => 'what came is not what the registry announced (EINTEGRITY)',
  EUSAGE: () => 'its dependencies do not fit together (EUSAGE)',
  ENOTCACHED: () => 'it is not in the cache and there is no network (ENOTCACHED)',
  EALLOWGIT: elsewhere('a git repository', 'EALLOWGIT'),
  EALLOWREMOTE: elsewhere('a URL', 'EALLOWREMOTE'),
  EALLOWFILE: elsewhere('a file', 'EALLOWFILE'),
  EALLOWDIRECTORY: elsewhere('a folder', 'EALLOWDIRECTORY'),
}

/** Codes for which a retry is pointless, because they are answers of the registry. */
const ANSWERS: ReadonlySet<string> = new Set([
  'E401',
  'E403',
  'E404',
  'ETARGET',
  'ENOVERSIONS',
  'EINTEGRITY',
  'ERESOLVE',
  'EUSAGE',
  'EALLOWGIT',
  'EALLOWREMOTE',
  'EALLOWFILE',
  'EALLOWDIRECTORY',
])

/**
 * The script of npm's command line, so that neither a shell nor a wrapper is needed: next to this node, or found in
 * PATH.
 */
export function npmScript(): string | null {
  const candidates = [
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    ...(process.env['PATH'] ?? '')
      .split(delimiter)
      .filter((folder) => folder !== '')
      .map((folder) => join(folder, 'npm')),
  ]
  for (const candidate of candidates) {
    if (!existsSync(candidate)) continue
    const script = realpathSync(candidate)
    if (script.endsWith('.js')) return script
  }
  return null
}

function npmEnvironment(cacheDir: string, home: string): NodeJS.ProcessEnv {
  const passed = Object.entries(process.env).filter(([name]) => PASSED_ON.some((pattern) => pattern.test(name)))
  const userConfig = join(homedir(), '.npmrc')
  return {
    npm_config_userconfig: userConfig,
    ...SHORT_WAITS,
    ...Object.fromEntries(passed),
    PATH: dirname(process.execPath),
    HOME: home,
    npm_config_cache: join(cacheDir, 'npm'),
  }
}
