import { execFile, spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localKmsClient } from '../../scripts/kms/client.ts'
import { signIn, signUp } from '../../scripts/stack/auth-users.ts'
import type { StackInfo } from '../../scripts/stack/info.ts'
import { ROOT } from '../../scripts/stack/paths.ts'
import { freePorts, HOST, isFree } from '../../scripts/stack/ports.ts'
import { post } from '../../scripts/stack/rpc.ts'
import { CACHE } from '../worker/packages.ts'
import { commandOf, descendants, isAlive, startCli, until, type Cli } from './cli.ts'

const execFileAsync = promisify(execFile)

/** The command line of each part's process; the shell that started it does not count. */
const PROCESSES: Readonly<Record<string, RegExp>> = {
  functions: /^(?!\/bin\/sh).*functions-server\.ts/,
  firestore: /^(?!\/bin\/sh).*cloud-firestore-emulator/,
  auth: /^(?!\/bin\/sh).*auth-emulator\.ts/,
  kms: /^(?!\/bin\/sh).*kms-emulator\.ts/,
  worker: /^(?!\/bin\/sh).*worker\/lib\/main\.js/,
}

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-start-'))
  // The demo's packages are those of other tests.
  for (const folder of [CACHE, join(dir, 'worker')]) await mkdir(folder, { recursive: true })
  await symlink(CACHE, join(dir, 'worker/cache'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** Two stacks run here, one after the other in one folder; what only needs a running one is tried at the second. */
describe('npm start', { timeout: 240_000 }, () => {
  const kept = {
    email: 'kept@test.example',
    password: 'correct horse',
    ciphertext: new Uint8Array() as Uint8Array,
    agentKey: '',
  }

  describe('the first time', () => {
    let cli: Cli
    let info: StackInfo
    beforeAll(async () => {
      cli = await startCli(dir)
      info = await cli.ready()
    })

    test('says where everything is', async () => {
      const [functions, firestore, auth, kms] = cli.ports
      expect(info).toEqual({
        project: 'demo-vitrine',
        baseUrl: `http://127.0.0.1:${functions}/demo-vitrine/us-central1`,
        functions: expect.objectContaining({
          invokeTool: `http://127.0.0.1:${functions}/demo-vitrine/us-central1/invokeTool`,
        }) as unknown,
        firestore: `127.0.0.1:${firestore}`,
        auth: `127.0.0.1:${auth}`,
        kms: `127.0.0.1:${kms}`,
        demo: {
          owner: {
            uid: expect.any(String) as unknown,
            email: expect.any(String) as unknown,
            password: expect.any(String) as unknown,
            key: expect.stringMatching(/^owner\./) as unknown,
          },
          agent: { id: expect.any(String) as unknown, key: expect.stringMatching(/^agent\./) as unknown },
          policy: { id: info.worker?.policyId, key: expect.stringMatching(/^tools\./) as unknown },
        },
        worker: {
          url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as unknown,
          policyId: expect.any(String) as unknown,
        },
      })
      expect((await fetch(`${info.worker!.url}/healthz`)).status).toBe(200)
      expect((await stat(join(dir, 'stack.json'))).mode & 0o777).toBe(0o600)
      for (const port of cli.ports) expect(await isFree(port)).toBe(false)
    })

    test('prints a command that invokes the demo tool', () => {
      const curl = cli
        .stdout()
        .split('\n')
        .find((line) => line.startsWith('curl '))
      const answer = spawnSync('sh', ['-c', curl!], { encoding: 'utf8' })
      expect(JSON.parse(answer.stdout)).toMatchObject({
        result: { status: 200, ok: true, result: { city: 'Paris', forecast: 'sunny' } },
      })
    })

    test.each(['first', 'second'])(
      'lets the demo pass beside it, whose policy lists more tools: the %s time',
      async () => {
        const demo = await execFileAsync(process.execPath, [
          join(ROOT, 'scripts/demo.ts'),
          '--stack',
          join(dir, 'stack.json'),
        ])
        expect(demo.stdout).toMatch(/Using the stack that runs at [^]*\bworker\b[^]*Done: all \d+ checks passed\./)
      },
    )

    test('leaves nothing running after Ctrl-C', async () => {
      await putDocument(info)
      await signUp(info.auth, kept.email, kept.password)
      kept.ciphertext = await encrypt(info, 'kept')
      kept.agentKey = info.demo!.agent.key

      const pids = descendants(cli.pid)
      expect(pids.length).toBeGreaterThanOrEqual(4)
      process.kill(cli.pid, 'SIGINT')
      expect(await cli.exited).toBe(0)
      await expectGone(pids)
      for (const port of cli.ports) expect(await isFree(port)).toBe(true)
      expect(await readdir(dir)).not.toContain('stack.json')
      expect(cli.stderr()).toBe('')
    })
  })

  describe('the second time', () => {
    let cli: Cli
    let info: StackInfo
    beforeAll(async () => {
      cli = await startCli(dir)
      info = await cli.ready()
    })

    test('finds its state again', async () => {
      expect(await getDocument(info)).toMatchObject({ fields: { note: { stringValue: 'kept' } } })
      expect((await signIn(info.auth, kept.email, kept.password)).uid).toEqual(expect.any(String))
      expect(await decrypt(info, kept.ciphertext)).toBe('kept')
      expect(info.demo!.agent.key).toBe(kept.agentKey)
      expect((await invokeWeather(info)).status).toBe(200)
    })

    test('refuses another one in the same folder', async () => {
      const other = await startCli(dir)
      expect(await other.exited).toBe(1)
      expect(other.stderr()).toMatch(/^vitrine: A stack is running already \(process \d+, .*\n$/)
      expect((await invokeWeather(info)).status).toBe(200)
    })

    /** The processes of one part, as they run now. */
    const processesOf = (part: string): number[] =>
      descendants(cli.pid).filter((pid) => PROCESSES[part]!.test(commandOf(pid)))
    const untilWorks: Record<string, () => Promise<boolean>> = {
      functions: async () => (await invokeWeather(info)).status === 200,
      firestore: async () => JSON.stringify(await getDocument(info)).includes('"stringValue":"kept"'),
      auth: async () => (await signIn(info.auth, kept.email, kept.password)).uid !== '',
      kms: async () => (await decrypt(info, kept.ciphertext)) === 'kept',
      worker: async () => (await fetch(`${info.worker!.url}/healthz`)).ok,
    }

    test.each(Object.keys(PROCESSES))('starts %s again when it dies, and says so', async (part) => {
      const before = cli.stderr().length
      for (const pid of processesOf(part)) process.kill(pid, 'SIGKILL')
      await until(() => cli.stderr().slice(before).includes('starting it again'))
      await until(() => untilWorks[part]!().catch(() => false))
      await until(() => untilWorks['functions']!().catch(() => false))
      const loss = ['firestore', 'auth'].includes(part)
        ? / It gets what was saved at \d\d:\d\d:\d\d: what was written since is lost\./
        : /()/
      expect(cli.stderr().slice(before)).toMatch(
        new RegExp(
          `^vitrine: ${part} ended \\(SIGKILL\\), see .*/${part}\\.previous\\.log; starting it again(?: in [\\d.]+ s)?\\.${loss.source}\n$`,
        ),
      )
    })

    test('starts functions again that are killed while they start again', async () => {
      const before = cli.stderr().length
      const lines = (): string[] => cli.stderr().slice(before).split('\n').slice(0, -1)
      let killed = 0
      for (const times of [1, 2, 3]) {
        // The process is there long before it serves.
        await until(() => processesOf('functions').length > 0)
        for (const pid of processesOf('functions')) process.kill(pid, 'SIGKILL')
        killed = times
        await until(() => lines().length === killed)
      }
      expect(lines().map((line) => line.split(',')[0])).toEqual([
        'vitrine: functions ended (SIGKILL)',
        'vitrine: functions ended while starting (SIGKILL)',
        'vitrine: functions ended while starting (SIGKILL)',
      ])
      await until(() => untilWorks['functions']!().catch(() => false))
      expect(lines()).toHaveLength(3)
    })

    test('takes everything with it when it is killed', async () => {
      const pids = descendants(cli.pid)
      process.kill(cli.pid, 'SIGKILL')
      await expectGone(pids)
      for (const port of cli.ports) await until(() => isFree(port))
    })
  })

  test('starts after it was killed, and gives up a start on Ctrl-C however often it is pressed', async () => {
    const cli = await startCli(dir)
    await until(() => cli.stdout().includes('Starting') && descendants(cli.pid).length >= 4)
    const pids = descendants(cli.pid)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.kill(cli.pid, signal)
    expect(await cli.exited).toBe(0)
    await expectGone(pids)
    expect(cli.stderr()).toBe('')
  })
})

describe('what is wrong is said in one line', () => {
  test('a busy port', async () => {
    const busy = createServer()
    await new Promise<void>((resolve) => busy.listen(0, HOST, resolve))
    const { port } = busy.address() as AddressInfo
    const cli = await startCli(dir, { ports: [...(await freePorts(3)), port, ...(await freePorts(1))] })
    await expectOneLine(
      cli,
      `Port ${port} is in use: stop what runs there, or choose another with --port-kms <n> or PORT_KMS=<n>.`,
    )
    busy.close()
  })

  test('a missing emulator', async () => {
    const cli = await startCli(dir, { env: { FIRESTORE_EMULATOR_JAR: '/nowhere/emulator.jar' } })
    await expectOneLine(cli, 'FIRESTORE_EMULATOR_JAR=/nowhere/emulator.jar does not exist: correct or unset it.')
  })

  test('a missing Java', async () => {
    const cli = await startCli(dir, { env: { JAVA_HOME: '/nowhere' } })
    await expectOneLine(
      cli,
      'There is no working Java at JAVA_HOME=/nowhere. Correct or unset JAVA_HOME; Java 11 or later is needed.',
    )
  })

  test('a Java that is too old', async () => {
    const home = join(dir, 'java8')
    await mkdir(join(home, 'bin'), { recursive: true })
    await writeFile(join(home, 'bin/java'), '#!/bin/sh\necho \'openjdk version "1.8.0_392"\' >&2\n')
    await chmod(join(home, 'bin/java'), 0o755)
    const cli = await startCli(dir, { env: { JAVA_HOME: home } })
    await expectOneLine(
      cli,
      `Java 8 at JAVA_HOME=${home} is too old. Correct or unset JAVA_HOME; Java 11 or later is needed.`,
    )
  })

  test('an emulator that does not run', async () => {
    const jar = join(dir, 'cloud-firestore-emulator.jar')
    await writeFile(jar, 'not a jar')
    const cli = await startCli(dir, { env: { FIRESTORE_EMULATOR_JAR: jar } })
    expect(await cli.exited).toBe(1)
    const lines = cli.stderr().split('\n')
    expect(lines.slice(0, 4).map((line) => / in (.*)\.$/.exec(line)?.[1])).toEqual(['0.5 s', '1 s', '2 s', '4 s'])
    expect(lines.slice(4).join('\n')).toMatch(
      /^vitrine: firestore ended while starting \(1\), which was failure 5 in a row\. Its last log lines \(.*\/firestore\.log\):\n {2}Error: [^]*ClassNotFoundException.*\n$/,
    )
    for (const port of cli.ports) expect(await isFree(port)).toBe(true)
  })

  test('a port that is none', async () => {
    const cli = await startCli(dir, { ports: [70_000, 1, 1, 1, 1] })
    await expectOneLine(cli, '--port-functions (or PORT_FUNCTIONS) must be a port from 1 to 65535, not 70000.')
  })
})

/** The kernel takes a moment to clear away what was killed. */
async function expectGone(pids: readonly number[]): Promise<void> {
  await expect.poll(() => pids.filter(isAlive)).toEqual([])
}

async function expectOneLine(cli: Cli, line: string): Promise<void> {
  expect(await cli.exited).toBe(1)
  expect(cli.stderr()).toBe(`vitrine: ${line}\n`)
}

const AS_OWNER = { authorization: 'Bearer owner', 'content-type': 'application/json' }

function documentUrl({ firestore, project }: StackInfo): string {
  return `http://${firestore}/v1/projects/${project}/databases/(default)/documents/start-test/kept`
}

async function putDocument(info: StackInfo): Promise<void> {
  const body = JSON.stringify({ fields: { note: { stringValue: 'kept' } } })
  const response = await fetch(documentUrl(info), { method: 'PATCH', headers: AS_OWNER, body })
  expect(response.status).toBe(200)
}

async function getDocument(info: StackInfo): Promise<unknown> {
  return (await fetch(documentUrl(info), { headers: AS_OWNER })).json()
}

function invokeWeather(info: StackInfo): ReturnType<typeof post> {
  return post(info.functions['invokeTool']!, { name: 'weather', args: { city: 'Rome' } }, info.demo!.agent.key)
}

async function encrypt({ kms, project }: StackInfo, text: string): Promise<Uint8Array> {
  const client = localKmsClient(kms)
  const name = client.cryptoKeyPath(project, 'us-central1', 'vitrine', 'credentials')
  const [{ ciphertext }] = await client.encrypt({ name, plaintext: Buffer.from(text) })
  await client.close()
  return ciphertext as Uint8Array
}

async function decrypt({ kms, project }: StackInfo, ciphertext: Uint8Array): Promise<string> {
  const client = localKmsClient(kms)
  const name = client.cryptoKeyPath(project, 'us-central1', 'vitrine', 'credentials')
  const [{ plaintext }] = await client.decrypt({ name, ciphertext })
  await client.close()
  return Buffer.from(plaintext as Uint8Array).toString()
}
