/** Finds out what a stack needs and this machine lacks, and gets it after one question. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { downloadFolder, lookForFirestoreJar, sdksOnPath } from './firestore-jar.ts'
import { lookForJava } from './java.ts'
import { findPackageManager, type Command, type PackageManager } from './package-managers.ts'
import { ROOT } from './paths.ts'
import { onPath } from './search-path.ts'

export interface Machine {
  env: NodeJS.ProcessEnv
  isRoot: boolean
  /** Where to look for Java and the Google Cloud SDK besides PATH; the usual folders when left out. */
  jvmFolders?: readonly string[]
  sdkFolders?: readonly string[]
}

export interface Terminal {
  input: NodeJS.ReadableStream
  output: NodeJS.WritableStream
  /** Whether a person can answer. */
  isTty: boolean
}

/** One thing that is missing. */
interface Missing {
  what: string
  /** The commands that get it; empty when this machine has no way. */
  commands: Command[]
  /** What a person can do when the commands do not help. */
  byHand: string
}

const SUDO = 'sudo'

/**
 * Resolves when nothing is missing any more. `yes` and CI answer the question, unless a command runs with sudo.
 * Errors: one line that says what to run.
 */
export async function getPrerequisites(machine: Machine, terminal: Terminal, yes: boolean): Promise<void> {
  const missing = await findMissing(machine)
  if (missing.length === 0) return
  await permission(missing, machine, terminal, yes)
  for (const { commands, byHand } of missing) {
    for (const command of commands) await run(command, machine.env, byHand)
  }
  const [still] = await findMissing(machine)
  if (still !== undefined) throw new Error(`Still missing: ${still.what}. ${still.byHand}`)
}

/** Resolves when the commands may run. Errors: they may not; the line says what to run. */
async function permission(
  missing: readonly Missing[],
  { env }: Machine,
  { input, output, isTty }: Terminal,
  yes: boolean,
): Promise<void> {
  const impossible = missing.find(({ commands }) => commands.length === 0)
  if (impossible !== undefined) throw new Error(`Missing: ${impossible.what}. ${impossible.byHand}`)
  const commands = missing.flatMap((one) => one.commands)
  const problem = `Missing: ${missing.map(({ what }) => what).join(', ')}.`
  const instead = commands.map(asTyped).join(' && ')
  const needsSudo = commands.some(([program]) => program === SUDO)
  if (needsSudo && onPath(SUDO, env).length === 0)
    throw new Error(`${problem} There is no ${SUDO}; run as root: ${instead.replaceAll(`${SUDO} `, '')}`)
  const list = commands.map((command) => `  ${asTyped(command)}\n`).join('')
  if ((yes || isCi(env)) && !needsSudo) return void output.write(`vitrine: ${problem} Running:\n${list}`)
  if (!isTty) {
    const hint = needsSudo ? `--yes does not cover ${SUDO}` : 'or add "-- --yes" to the npm command'
    throw new Error(`${problem} Run: ${instead} (${hint})`)
  }
  output.write(`vitrine: ${problem} These commands get it:\n${list}`)
  if (!(await isAgreed(input, output))) throw new Error(`${problem} Run: ${instead}`)
}

async function findMissing(machine: Machine): Promise<Missing[]> {
  const { env, isRoot, jvmFolders, sdkFolders } = machine
  const manager = findPackageManager(env)
  const jar = lookForFirestoreJar(env, sdkFolders)
  const emulator = emulatorFor(env, manager)
  const javaMin = jar?.javaMin ?? emulator.javaMin
  const missing: Missing[] = []
  if ('problem' in (await lookForJava(javaMin, env, jvmFolders))) {
    missing.push({
      what: `Java ${javaMin} or later`,
      commands: manager?.java(javaMin) ?? [],
      byHand: `Install Java ${javaMin} or later, for example from https://adoptium.net, and put it on PATH or set JAVA_HOME.`,
    })
  }
  if (jar === null) missing.push(emulator)
  const withSudo = (command: Command): Command =>
    !isRoot && manager?.needsRoot && command[0] === manager.program ? [SUDO, ...command] : command
  // What both need, such as apt-get update, runs once.
  const seen = new Set<string>()
  const isNew = (command: Command): boolean => seen.size < seen.add(asTyped(command)).size
  return missing.map((one) => ({ ...one, commands: one.commands.filter(isNew).map(withSudo) }))
}

/** How this machine gets an emulator: the Google Cloud SDK's when there is an SDK, otherwise the Firebase CLI's. */
function emulatorFor(env: NodeJS.ProcessEnv, manager: PackageManager | undefined): Missing & { javaMin: number } {
  const [sdk] = sdksOnPath(env)
  const fromSdk: Command[] =
    sdk === undefined
      ? []
      : hasOwnUpdater(sdk)
        ? [['gcloud', 'components', 'install', '--quiet', 'cloud-firestore-emulator']]
        : (manager?.emulator ?? [])
  const fromFirebase: Command[] = [['npx', 'firebase', 'setup:emulators:firestore']]
  const isFromSdk = fromSdk.length > 0
  return {
    what: 'the Firestore emulator',
    commands: isFromSdk ? fromSdk : fromFirebase,
    javaMin: isFromSdk ? 11 : 21,
    byHand: isFromSdk
      ? `Run ${asTyped(fromFirebase[0]!)} instead, which needs Java 21 or later, or set FIRESTORE_EMULATOR_JAR.`
      : `Where storage.googleapis.com can be reached, run ${asTyped(fromFirebase[0]!)} and copy the jar into ${downloadFolder(env)}, or set FIRESTORE_EMULATOR_JAR.`,
  }
}

/** `gcloud components` is off in an SDK that a package manager has installed. */
function hasOwnUpdater(sdk: string): boolean {
  const file = join(sdk, 'lib/googlecloudsdk/core/config.json')
  return !existsSync(file) || !/"disable_updater":\s*true/.test(readFileSync(file, 'utf8'))
}

/** CI services set CI to true or 1; some tools turn it off with false or 0. */
function isCi({ CI = '' }: NodeJS.ProcessEnv): boolean {
  return !['', '0', 'false'].includes(CI)
}

/** A closed terminal (Ctrl-C, Ctrl-D) means no. */
async function isAgreed(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<boolean> {
  const lines = createInterface({ input, output })
  try {
    const closed = once(lines, 'close').then(() => '')
    const answer = await Promise.race([lines.question('Run them? [y/N] ').catch(() => ''), closed])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}

/** Runs a command in the repository, its output on stderr: stdout belongs to the script. Errors: it fails. */
async function run(command: Command, env: NodeJS.ProcessEnv, byHand: string): Promise<void> {
  const [program, ...args] = command
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['inherit', process.stderr, process.stderr] })
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  if (how !== 'exit code 0') throw new Error(`${asTyped(command)} failed (${how}), see above. ${byHand}`)
}

/** The command as a person would type it into a shell. */
function asTyped(command: Command): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ')
}
