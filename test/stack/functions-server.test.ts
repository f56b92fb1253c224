import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../../scripts/stack/paths.ts'

/**
 * Functions as firebase-functions makes them: `(req, res)` handlers. `gate` delays its answers until `open` is called.
 */
const MODULE = `
const waiting = []
let arrived = 0
export const echo = (req, res) => res.json({ path: req.path, query: req.query, body: req.body })
export const gate = (req, res) => { arrived += 1; waiting.push(res) }
export const count = (req, res) => res.json({ arrived })
export const open = (req, res) => { for (const held of waiting.splice(0)) held.json({ held: true }); res.json({}) }
export const slow = (req, res) => { console.log('slow began'); setTimeout(() => res.json({ done: true }), 500) }
export const broken = () => { throw new Error('broken') }
export const notAFunction = { a: 1 }
`

let dir: string
let server: { child: ChildProcess; baseUrl: string; functions: string[]; output: () => string }

async function startServer(): Promise<typeof server> {
  const child = spawn(process.execPath, [
    join(ROOT, 'scripts/functions-server.ts'),
    '--entry',
    join(dir, 'module.mjs'),
    '--project',
    'demo-x',
  ])
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('\n')) resolve()
    })
    child.once('exit', () => reject(new Error('the functions server ended')))
  })
  const { port, functions } = JSON.parse(output.split('\n')[0]!) as { port: number; functions: string[] }
  return { child, functions, baseUrl: `http://127.0.0.1:${port}/demo-x/us-central1`, output: () => output }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-functions-'))
  await writeFile(join(dir, 'module.mjs'), MODULE)
  server = await startServer()
})
afterAll(async () => {
  server.child.kill('SIGKILL')
  await rm(dir, { recursive: true })
})

function post(path: string, body?: string): Promise<Response> {
  return fetch(`${server.baseUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body }),
  })
}

test('serves every exported function below its name, with the prefix stripped', async () => {
  expect(server.functions.toSorted()).toEqual(['broken', 'count', 'echo', 'gate', 'open', 'slow'])
  expect(await (await post('/echo/createAgent?a=1', '{"data":1}')).json()).toEqual({
    path: '/createAgent',
    query: { a: '1' },
    body: { data: 1 },
  })
  expect(await (await post('/echo')).json()).toMatchObject({ path: '/', query: {} })
  expect(await (await post('/echo?b=2')).json()).toMatchObject({ path: '/', query: { b: '2' } })
})

test.each(['/nothing', '/notAFunction', '/', '/echoes', '/constructor', '/__proto__', '/../demo-x', ''])(
  'an unknown function is a coded error: %j',
  async (path) => {
    const response = await post(path, '{"data":{}}')
    expect(response.status).toBe(404)
    expect(await response.json()).toEqual({
      error: {
        status: 'NOT_FOUND',
        message: 'There is no such operation.',
        details: { code: 'unknown_operation', retryable: false },
      },
    })
  },
)

test('one process answers 100 requests at a time', async () => {
  const held = Array.from({ length: 100 }, () => post('/gate', '{}').then((response) => response.json()))
  const arrived = async (): Promise<number> => ((await (await post('/count')).json()) as { arrived: number }).arrived
  while ((await arrived()) < 100) await new Promise((resolve) => setTimeout(resolve, 20))
  await post('/open')
  expect(await Promise.all(held)).toEqual(Array.from({ length: 100 }, () => ({ held: true })))
})

test('a function that throws does not take the others down', async () => {
  expect((await post('/broken')).status).toBe(500)
  expect((await post('/echo')).status).toBe(200)
})

test('SIGTERM lets requests in flight finish and takes no new ones', async () => {
  const own = await startServer()
  const inFlight = fetch(`${own.baseUrl}/slow`, { method: 'POST' })
  while (!own.output().includes('slow began')) await new Promise((resolve) => setTimeout(resolve, 10))
  own.child.kill('SIGTERM')
  const exited = new Promise((resolve) => own.child.once('exit', (code) => resolve(code)))
  expect(await (await inFlight).json()).toEqual({ done: true })
  expect(await exited).toBe(0)
  await expect(fetch(`${own.baseUrl}/echo`)).rejects.toThrow()
})
