// Runs a script of this repository on a fresh clone: `node scripts/bootstrap.mjs scripts/start.ts [--yes] [args]`.
// Installs the npm packages, gets Java and the emulator when they are missing (--yes answers the question), and runs the
// script with the Node 24 that the lockfile pins: this file runs on the host's Node, 20 or later, and before any package is there.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 20
const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'node_modules', '.bin')
const [script, ...given] = process.argv.slice(2)
const args = given.filter((arg) => arg !== '--yes')

if (script === undefined) fail('usage: node scripts/bootstrap.mjs <script.ts> [arguments]')
if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  fail(`Node ${process.versions.node} is too old: install Node ${NODE_MAJOR_MIN} or later.`)
}
if (!isInstalled()) install()
if (needsStack()) getPrerequisites()
run()

/** Whether the versions in package-lock.json are those in npm's own record of what it has installed. */
function isInstalled() {
  const record = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(record) || !existsSync(join(bin, 'node'))) return false
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const installed = packagesOf(record)
  return Object.entries(wanted).every(([path, { version, optional, devOptional, peer }]) => {
    if (!path.startsWith('node_modules/')) return true
    const found = installed[path]
    return found === undefined ? Boolean(optional || devOptional || peer) : found.version === version
  })
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

function install() {
  console.error('vitrine: installing packages (npm ci) …')
  const { error, status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (error) fail(`npm cannot be run (${error.code}): install npm, which comes with Node.`)
  if (status !== 0) fail('npm ci failed, see above. Is the npm registry within reach?')
  if (!existsSync(join(bin, 'node'))) fail('npm ci left no node_modules/.bin/node: remove node_modules and try again.')
}

/** Help and the tests without a stack need neither Java nor the emulator. */
function needsStack() {
  return !args.includes('--help') && !/--project[= ](unit|process)/.test(args.join(' '))
}

function getPrerequisites() {
  const yes = given.filter((arg) => arg === '--yes')
  const { error, status } = spawnSync(join(bin, 'node'), [join(root, 'scripts/prerequisites.ts'), ...yes], {
    stdio: 'inherit',
    env: environment(),
  })
  if (error) fail(`scripts/prerequisites.ts cannot be run: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

function environment() {
  return { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` }
}

function run() {
  // The IPC channel closes when this process is killed: that tells the script to stop.
  const child = spawn(join(bin, 'node'), [join(root, script), ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: environment(),
  })
  child.on('error', (error) => fail(`${script} cannot be run: ${error.message}`))
  // The script decides when to end. It may receive a terminal's Ctrl-C twice: from the terminal and from here.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  if (process.env.npm_lifecycle_event) endWithParent(child)
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

/** Stops the script when npm is killed: npm forwards signals, but not SIGKILL. */
function endWithParent(child) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    child.kill('SIGTERM')
  }, 1_000)
}

function fail(message) {
  console.error(`vitrine: ${message}`)
  process.exit(1)
}
