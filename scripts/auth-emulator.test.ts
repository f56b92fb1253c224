import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { signIn, signUp } from './stack/auth-users.ts'
import { freePorts, HOST } from './stack/ports.ts'

const script = fileURLToPath(new URL('./auth-emulator.ts', import.meta.url))

function emulator(...args: string[]) {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = Promise.all([text(child.stdout), text(child.stderr)])
  const exited = once(child, 'exit').then(async ([code]) => {
    const [stdout, stderr] = await output
    return { code: code as number | null, stdout, stderr }
  })
  return { child, exited, ready: once(child.stdout, 'data') }
}

test('serves users of its project, refuses what its API does not allow, tells links, and ends on SIGTERM', async () => {
  const [port] = (await freePorts(1)) as [number]
  const { child, exited, ready } = emulator('--project', 'demo-x', '--port', String(port))
  await ready
  const host = `${HOST}:${port}`
  const accounts = `http://${host}/identitytoolkit.googleapis.com/v1/accounts`
  const ask = async (method: string, body: object): Promise<{ status: number; body: unknown }> => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${accounts}:${method}?key=k`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: response.status, body: await response.json() }
  }

  const { uid, idToken } = await signUp(host, 'a@test.example', 'correct horse')
  expect(JSON.parse(Buffer.from(idToken.split('.')[1]!, 'base64url').toString())).toMatchObject({
    aud: 'demo-x',
    sub: uid,
  })
  expect((await signIn(host, 'a@test.example', 'correct horse')).uid).toBe(uid)
  await expect(signIn(host, 'a@test.example', 'wrong')).rejects.toThrow('INVALID_PASSWORD')
  // Refused by the schema of the request, before any code of the operation.
  expect(await ask('signUp', { email: { no: 'text' }, password: 'correct horse' })).toMatchObject({
    status: 400,
    body: { error: { message: 'Invalid JSON payload received. /email must be string' } },
  })
  expect((await ask('sendOobCode', { requestType: 'VERIFY_EMAIL', idToken })).status).toBe(200)

  child.kill('SIGTERM')
  const { code, stdout, stderr } = await exited
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(new RegExp(`^Auth emulator ready on ${host}\n[^]*http://${host}/emulator/action\\?`))
})

test('a port in use is one clear line', async () => {
  const busy = createServer().listen(0, HOST)
  onTestFinished(() => void busy.close())
  await once(busy, 'listening')
  const { port } = busy.address() as AddressInfo
  expect(await emulator('--project', 'demo-x', '--port', String(port)).exited).toEqual({
    code: 1,
    stdout: '',
    stderr: `Auth emulator: Port ${port} on 127.0.0.1 is in use. Stop what listens there, or choose another port.\n`,
  })
})

test.each([
  ['a project that is not demo-*', ['--project', 'prod'], '--project must be demo-*, not prod.'],
  ['a port that is none', ['--project', 'demo-x', '--port', 'x'], '--port must be a number from 0 to 65535, not x.'],
])('%s is one clear line', async (_, args, line) => {
  expect(await emulator(...args).exited).toEqual({ code: 1, stdout: '', stderr: `Auth emulator: ${line}\n` })
})
