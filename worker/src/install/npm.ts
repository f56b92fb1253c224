import { execFile } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fail, ok, type Result } from '@vitrine/core/result'

/** Longer than a large package takes on a slow line. */
const INSTALL_MS_MAX = 180_000
const OUTPUT_BYTES_MAX = 1024 * 1024

/**
 * No script of a package runs, and nothing comes from elsewhere than the registry: a dependency may name a git repository or a URL, and
 * git's configuration can name programs to run. Versions of npm that don't know the `allow-` options are stopped by the lockfile's check.
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

/** What the worker's own environment says about how to reach the registry; all else stays here. */
const PASSED_ON = [
  /^npm_config_(?:(?:@[^:]+:)?registry|proxy|https_proxy|http_proxy|noproxy|cafile|ca|strict_ssl|userconfig|globalconfig|prefer_offline|fetch_\w+)$/i,
  /^npm_config_\/\//i,
  /^(?:https?_proxy|no_proxy|all_proxy)$/i,
  /^(?:NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/,
]

export interface NpmPaths {
  /** npm's cache and its home. */
  cacheDir: string
  /** Holds the package.json, and the lockfile, to install by. */
  folder: string
}

/** `resolve` writes a lockfile for the folder's package.json and installs nothing; `install` installs what the lockfile says. */
const COMMANDS = { resolve: ['install', '--package-lock-only'], install: ['ci'] } as const

/**
 * Runs npm in a folder, without a shell. Nothing but the folder's files say what to install, so no name or version
 * can be taken for an option. Errors, naming npm's error code: upstream_invalid when the registry has not got what is asked for,
 * upstream_unreachable for all else.
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
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...COMMANDS[command], ...OPTIONS], options, (error, _stdout, stderr) => {
      if (!error) return resolve(ok(undefined))
      if (signal.aborted) return resolve(fail('upstream_unreachable', 'The installation was stopped.'))
      const code =
        /npm (?:error|ERR!) code (\S+)/.exec(stderr)?.[1] ??
        (error.killed ? 'ETIMEDOUT' : String(error.code ?? 'unknown'))
      resolve(
        fail(
          ANSWERS.has(code) ? 'upstream_invalid' : 'upstream_unreachable',
          `npm could not install it: ${CAUSES[code] ?? code}.`,
        ),
      )
    })
  })
}

/** npm would wait for a minute and more between its tries; whoever wants the server tries again anyway. */
const SHORT_WAITS = { npm_config_fetch_retry_mintimeout: '500', npm_config_fetch_retry_maxtimeout: '2000' }

const CAUSES: Record<string, string> = {
  E404: 'the registry has no such package (E404)',
  ETARGET: 'there is no such version (ETARGET)',
  EINTEGRITY: 'what came is not what the registry announced (EINTEGRITY)',
  EUSAGE: 'its dependencies do not fit together (EUSAGE)',
  ENOTCACHED: 'it is not in the cache and there is no network (ENOTCACHED)',
}

/** What trying again does not mend: the registry was reached and said so. */
const ANSWERS: ReadonlySet<string> = new Set([
  'E401',
  'E403',
  'E404',
  'ETARGET',
  'ENOVERSIONS',
  'EINTEGRITY',
  'ERESOLVE',
  'EUSAGE',
])

/** npm's command line as a script, so that neither a shell nor a wrapper comes in between: beside this node, else as found in PATH. */
function npmScript(): string | null {
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
