import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { localKmsClient } from './kms/client.ts'
import { PROJECT, running, tempDir } from './kms/fixture.ts'
import { startKms } from './kms/server.ts'

const script = fileURLToPath(new URL('./kms-emulator.ts', import.meta.url))

function emulator(...args: string[]) {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    output.stdout += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    output.stderr += String(chunk)
  })
  const exited = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }))
  const ready = once(child.stdout, 'data').then(() => output.stdout)
  return { child, exited, ready }
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'prints one ready line, serves the keys of its project, and ends on %s',
  async (signal) => {
    const dir = await tempDir()
    const { child, exited, ready } = emulator('--dir', dir, '--project', PROJECT)
    const [, host] = /^Local KMS ready on (127\.0\.0\.1:\d+), keys in .+\n$/.exec(await ready) ?? []
    const client = localKmsClient(host!)
    const name = client.cryptoKeyPath(PROJECT, 'us-central1', 'vitrine', 'credentials')
    const [{ ciphertext }] = await client.encrypt({ name, plaintext: Buffer.from('x') })
    child.kill(signal)
    expect(await exited).toMatchObject({ code: 0, stderr: '' })
    await client.close()

    const again = await running(dir)
    expect(String((await again.client.decrypt({ name, ciphertext: ciphertext! }))[0].plaintext)).toBe('x')
  },
)

test('a port in use is one clear line', async () => {
  const { host } = await running(await tempDir())
  const port = host.split(':')[1]!
  const { code, stdout, stderr } = await emulator('--dir', await tempDir(), '--port', port).exited
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe(
    `Local KMS: Port ${port} on 127.0.0.1 is in use. Stop what listens there, or choose another port.\n`,
  )
})

test.each([
  [
    'a project that is not demo-*',
    ['--project', 'prod'],
    /^Local KMS: The local KMS serves projects named demo-\* only, not prod.*\n$/,
  ],
  ['a port that is none', ['--port', 'x'], /^Local KMS: --port must be a number.*\n$/],
  ['an unknown option', ['--prot', '1'], /^Local KMS: .*--prot.*\n$/],
])('%s is one clear line, and nothing is written', async (_, args, line) => {
  const dir = join(await tempDir(), 'kms')
  const { code, stderr } = await emulator('--dir', dir, ...args).exited
  expect(code).toBe(1)
  expect(stderr).toMatch(line)
  expect(existsSync(dir)).toBe(false)
})

test('startKms refuses such a project as well, and frees its port when stopped', async () => {
  const dir = await tempDir()
  await expect(startKms({ dir, host: '127.0.0.1', port: 0, project: 'prod' })).rejects.toThrow('demo-*')
  const first = await startKms({ dir, host: '127.0.0.1', port: 0 })
  const port = Number(first.host.split(':')[1])
  await expect(startKms({ dir: await tempDir(), host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
  await first.stop()
  const second = await startKms({ dir, host: '127.0.0.1', port })
  await second.stop()
})
