/** What is missing, what would get it, and when it runs: with small scripts on PATH in the place of package managers. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { getPrerequisites, type Machine } from './prerequisites.ts'

const SDK_JAR = 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar'
const APT_JAVA = (version: number): string =>
  `apt-get satisfy -y --no-install-recommends 'default-jre-headless (>= 2:1.${version}) | java${version}-runtime-headless'`
const FIREBASE = 'npx firebase setup:emulators:firestore'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-prerequisites-'))
})
afterEach(() => rm(dir, { recursive: true }))

/** A program on PATH that writes down how it was called. */
async function program(name: string, does = ''): Promise<void> {
  const log = `echo "${name} $*" >> ${join(dir, 'log')}`
  await file(`bin/${name}`, `#!/bin/sh\nPATH=/usr/bin:/bin\n${log}\n${does}\n`)
}

async function file(path: string, content = ''): Promise<string> {
  const name = join(dir, path)
  await mkdir(dirname(name), { recursive: true })
  await writeFile(name, content, { mode: 0o755 })
  return name
}

const java = (version: number): string => `#!/bin/sh\necho 'openjdk version "${version}.0.1"' >&2\n`

/** Shell that makes what the program installs. */
const makes = (path: string, content: string): string => {
  const name = join(dir, path)
  return `mkdir -p ${dirname(name)}; printf '%s' "$(cat <<'END'\n${content}\nEND\n)" > ${name}; chmod +x ${name}`
}
const makesJava = (version: number): string => makes('jvm/new/bin/java', java(version))
const makesJar = (): string => makes('.cache/firebase/emulators/cloud-firestore-emulator-v1.22.0.jar', '')

function machine(more: Partial<Machine> = {}): Machine {
  return {
    env: { HOME: dir, PATH: join(dir, 'bin') },
    isRoot: true,
    jvmFolders: [join(dir, 'jvm')],
    sdkFolders: [join(dir, 'sdk')],
    ...more,
  }
}

interface Told {
  error: string | undefined
  output: string
  /** The programs that ran. */
  ran: string[]
}

/** `answer` is what a person types; without it nobody sits at the terminal. Null: the terminal is closed. */
async function get(
  { answer, yes = false }: { answer?: string | null; yes?: boolean } = {},
  on: Machine = machine(),
): Promise<Told> {
  const input = new PassThrough()
  const output = new PassThrough()
  if (answer === null) input.end()
  else if (answer !== undefined) input.write(`${answer}\n`)
  const error = await getPrerequisites(on, { input, output, isTty: answer !== undefined }, yes).then(
    () => undefined,
    (reason: Error) => reason.message,
  )
  output.end()
  const log = await readFile(join(dir, 'log'), 'utf8').catch(() => '')
  return { error, output: await text(output), ran: log.split('\n').filter((line) => line !== '') }
}

test('says and runs nothing when nothing is missing', async () => {
  await file('bin/java', java(17))
  await file(`sdk/${SDK_JAR}`)
  await program('apt-get')
  expect(await get({ yes: true })).toEqual({ error: undefined, output: '', ran: [] })
})

describe('without a person and without --yes, one line says what to run', () => {
  const HINT = ' (or add "-- --yes" to the npm command)'
  const BOTH = 'Missing: Java 21 or later, the Firestore emulator. Run: '
  const ROWS: [name: string, programs: string[], isRoot: boolean, line: string][] = [
    ['apt as root', ['apt-get', 'sudo'], true, `${BOTH}apt-get update && ${APT_JAVA(21)} && ${FIREBASE}${HINT}`],
    [
      'apt as another user',
      ['apt-get', 'sudo'],
      false,
      `${BOTH}sudo apt-get update && sudo ${APT_JAVA(21)} && ${FIREBASE} (--yes does not cover sudo)`,
    ],
    [
      'apt as another user without sudo',
      ['apt-get'],
      false,
      `Missing: Java 21 or later, the Firestore emulator. There is no sudo; run as root: apt-get update && ${APT_JAVA(21)} && ${FIREBASE}`,
    ],
    ['dnf', ['dnf'], true, `${BOTH}dnf install -y 'java-headless >= 1:21' && ${FIREBASE}${HINT}`],
    ['brew, which needs no root', ['brew', 'sudo'], false, `${BOTH}brew install openjdk@21 && ${FIREBASE}${HINT}`],
    [
      'winget',
      ['winget'],
      false,
      `${BOTH}winget install --exact --id EclipseAdoptium.Temurin.21.JRE --accept-source-agreements --accept-package-agreements && ${FIREBASE}${HINT}`,
    ],
    [
      'no package manager',
      [],
      true,
      'Missing: Java 21 or later. Install Java 21 or later, for example from https://adoptium.net, and put it on PATH or set JAVA_HOME.',
    ],
  ]
  test.each(ROWS)('%s', async (_name, programs, isRoot, line) => {
    for (const name of programs) await program(name)
    expect(await get({}, machine({ isRoot }))).toEqual({ error: line, output: '', ran: [] })
  })

  test('the emulator alone', async () => {
    await file('bin/java', java(21))
    expect((await get()).error).toBe(`Missing: the Firestore emulator. Run: ${FIREBASE}${HINT}`)
  })

  test("Java alone, as old as the SDK's emulator allows", async () => {
    await file(`sdk/${SDK_JAR}`)
    await file('bin/java', java(8))
    await program('apt-get')
    expect((await get()).error).toBe(`Missing: Java 11 or later. Run: apt-get update && ${APT_JAVA(11)}${HINT}`)
  })
})

describe('where there is a Google Cloud SDK, the emulator is its component', () => {
  const ROWS: [name: string, managers: string[], isManaged: boolean, command: string][] = [
    ['by gcloud', ['apt-get'], false, 'gcloud components install --quiet cloud-firestore-emulator'],
    ['by apt', ['apt-get'], true, 'apt-get update && apt-get install -y google-cloud-cli-firestore-emulator'],
    ['by dnf', ['dnf'], true, 'dnf install -y google-cloud-cli-firestore-emulator'],
    ["by the Firebase CLI, when the SDK's manager is unknown", [], true, FIREBASE],
  ]
  test.each(ROWS)('%s', async (_name, managers, isManaged, command) => {
    for (const name of managers) await program(name)
    await file('google/bin/gcloud')
    await file('google/lib/googlecloudsdk/core/config.json', JSON.stringify({ disable_updater: isManaged }))
    await file('bin/java', java(21))
    const env = { HOME: dir, PATH: `${join(dir, 'bin')}:${join(dir, 'google/bin')}` }
    expect((await get({}, machine({ env }))).error).toContain(`Missing: the Firestore emulator. Run: ${command} (`)
  })

  test('an update that Java and the emulator need runs once', async () => {
    await program('apt-get')
    await file('google/bin/gcloud')
    await file('google/lib/googlecloudsdk/core/config.json', '{"disable_updater": true}')
    const env = { HOME: dir, PATH: `${join(dir, 'bin')}:${join(dir, 'google/bin')}` }
    expect((await get({}, machine({ env }))).error).toContain(
      `apt-get update && ${APT_JAVA(11)} && apt-get install -y google-cloud-cli-firestore-emulator (`,
    )
  })
})

describe('what may run', () => {
  const RAN = ['apt-get update', `apt-get ${APT_JAVA(21).replace('apt-get ', '').replaceAll("'", '')}`, FIREBASE]
  beforeEach(async () => {
    await program('apt-get', `[ "$1" = update ] || { ${makesJava(21)}\n}`)
    await program('npx', makesJar())
    // A real sudo runs what it is told; this one does too.
    await program('sudo', `PATH=${join(dir, 'bin')} exec "$@"`)
  })

  test('--yes shows the commands, runs them in order and asks nothing', async () => {
    const { error, output, ran } = await get({ yes: true })
    expect({ error, ran }).toEqual({ error: undefined, ran: RAN })
    expect(output).toContain(`  apt-get update\n  ${APT_JAVA(21)}\n  ${FIREBASE}\n`)
    expect(output).not.toContain('[y/N]')
  })

  test.each(['true', '1'])('CI=%s does the same', async (CI) => {
    const { error, ran } = await get({}, machine({ env: { ...machine().env, CI } }))
    expect({ error, ran }).toEqual({ error: undefined, ran: RAN })
  })

  test.each(['', '0', 'false'])('CI=%s does not', async (CI) => {
    const { error, ran } = await get({}, machine({ env: { ...machine().env, CI } }))
    expect(ran).toEqual([])
    expect(error).toMatch(/^Missing: /)
  })

  test.each(['y', 'Y', 'yes', ' yes '])('the answer %j runs them', async (answer) => {
    const { error, output, ran } = await get({ answer })
    expect({ error, ran }).toEqual({ error: undefined, ran: RAN })
    expect(output.match(/\[y\/N\]/g)).toHaveLength(1)
    expect(output.indexOf(FIREBASE)).toBeLessThan(output.indexOf('[y/N]'))
  })

  test.each(['', 'n', 'no', 'yesterday', null])('the answer %j runs nothing and says what to run', async (answer) => {
    const { error, ran } = await get({ answer })
    expect(ran).toEqual([])
    expect(error).toMatch(/^Missing: .*\. Run: apt-get update && apt-get satisfy .* && npx firebase/)
  })

  test.each([{ CI: 'true' }, {}])('--yes and CI do not cover sudo: without a person nothing runs', async (ci) => {
    const { error, ran } = await get({ yes: true }, machine({ isRoot: false, env: { ...machine().env, ...ci } }))
    expect(ran).toEqual([])
    expect(error).toMatch(/Run: sudo apt-get update && .* \(--yes does not cover sudo\)$/)
  })

  test('--yes does not cover sudo: a person is asked, and sees it', async () => {
    const refused = await get({ yes: true, answer: 'n' }, machine({ isRoot: false }))
    expect(refused.ran).toEqual([])
    expect(refused.output).toContain(`  sudo ${APT_JAVA(21)}\n  ${FIREBASE}\n`)
    const { error, ran } = await get({ answer: 'y' }, machine({ isRoot: false }))
    expect(error).toBeUndefined()
    expect(ran.filter((line) => !line.startsWith('sudo '))).toEqual(RAN)
    expect(ran).toContain('sudo apt-get update')
  })

  test('what fails ends it, and one line says what else to do', async () => {
    await program('npx', 'exit 3')
    const { error, ran } = await get({ yes: true })
    expect(ran).toEqual(RAN)
    expect(error).toBe(
      `${FIREBASE} failed (exit code 3), see above. Where storage.googleapis.com can be reached, run ${FIREBASE} and copy the jar into ${dir}/.cache/firebase/emulators, or set FIRESTORE_EMULATOR_JAR.`,
    )
    await rm(join(dir, 'log'))
    await rm(join(dir, 'jvm'), { recursive: true })
    await program('apt-get', 'exit 100')
    const first = await get({ yes: true })
    expect(first.ran).toEqual(['apt-get update'])
    expect(first.error).toMatch(/^apt-get update failed \(exit code 100\), see above\. Install Java 21 or later/)
  })

  test('what succeeds and leaves nothing is not believed', async () => {
    await program('apt-get', makesJava(17))
    expect((await get({ yes: true })).error).toMatch(/^Still missing: Java 21 or later\. Install Java 21 or later/)
  })
})

test('a wrong JAVA_HOME is to be corrected: nothing that can be installed would mend it', async () => {
  await program('apt-get')
  const env = { ...machine().env, JAVA_HOME: '/nowhere' }
  expect(await get({ yes: true }, machine({ env }))).toEqual({
    error: 'There is no working Java at JAVA_HOME=/nowhere. Correct or unset JAVA_HOME; Java 21 or later is needed.',
    output: '',
    ran: [],
  })
})
