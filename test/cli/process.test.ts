import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ROOT } from '../../scripts/stack/paths.ts'
import { bytesToBase64 } from '@vitrine/core/bytes'
import { bundleLines, bundleText, createSigner, createTestChain } from '../../verify/src/fixture.ts'
import { entries, proofFor, vkey } from '../sdk/receipts.ts'
import { testKey } from '../sdk/test-key.ts'
import { failure, raw, result, startWireServer, type WireServer } from '../sdk/wire-server.ts'
import { runProcess } from '../support/command.ts'
import { findNodes } from '../support/nodes.ts'
import { verifyProcess, vitrineProcess } from './command.ts'

/** The commands as processes: what the other tests, which run them in their own process, cannot see. */

const nodes = await findNodes()

const signer = createSigner('operator')
const chain = createTestChain('agents/agt_2', signer)
chain.intent(Date.UTC(2026, 10, 20), 'c1', { q: 1 })
chain.outcome(Date.UTC(2026, 10, 20), 'c1')
chain.checkpoint()
const BUNDLE = bundleText(bundleLines(chain.log, chain.lines(true), [signer]))

let dir: string
let wire: WireServer
let env: Record<string, string>
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-cli-'))
  wire = await startWireServer()
  env = { VITRINE_URL: wire.url, VITRINE_KEY: testKey('owner') }
})
afterEach(async () => {
  await wire.close()
  await rm(dir, { recursive: true, force: true })
})

describe.each(nodes)('on %s', (_, node) => {
  it('vitrine reads its environment, its folder and a pipe, and ends with the code of what happened', async () => {
    const vitrine = (args: string[], stdin = '') => vitrineProcess(args, { cwd: dir, env, stdin }, node)
    const wrongUse = await vitrine([])
    expect(wrongUse).toMatchObject({ code: 2, stderr: '' })
    expect(wrongUse.stdout).toContain('Usage: vitrine <command>')

    const verified = await vitrine(['verify-receipt', '-', '--key', vkey], proofFor(3))
    expect(verified).toMatchObject({ code: 0, stderr: '' })
    expect(verified.stdout).toContain('entry 3 of agents/agt_1 is on record')

    // Nothing that a request leaves behind keeps the process.
    wire.respond = failure('permission_denied')
    expect(await vitrine(['keys'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^vitrine: .+\(permission_denied\)\n$/) as unknown,
    })
    wire.respond = raw(200, BUNDLE, { 'content-type': 'application/jsonl; charset=utf-8' })
    expect(await vitrine(['export', '--agent', 'agt_2', '--out', 'bundle.jsonl'])).toMatchObject({
      code: 0,
      stdout: '',
    })
    expect(await readFile(join(dir, 'bundle.jsonl'), 'utf8')).toBe(BUNDLE)
  })

  it('vitrine-verify as well', async () => {
    const verify = (args: string[], stdin = '') => verifyProcess(args, { cwd: dir, stdin }, node)
    await writeFile(join(dir, 'bundle.jsonl'), BUNDLE)
    const holds = await verify(['bundle.jsonl', '--quiet', '--key', bytesToBase64(signer.publicKey)])
    expect(holds).toMatchObject({ code: 0, stderr: '' })
    const changed = BUNDLE.replace('"durationMs":12', '"durationMs":13')
    const fails = await verify(['-', '--json'], changed)
    expect(fails).toMatchObject({ code: 1, stderr: '' })
    expect(JSON.parse(fails.stdout)).toMatchObject({ result: 'fails' })
    expect(await verify(['nowhere.jsonl'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'vitrine-verify: nowhere.jsonl cannot be read (ENOENT)\n',
    })
  })

  it.each([
    ['vitrine', 'cli/bin/vitrine.js'],
    ['vitrine-verify', 'verify/bin/vitrine-verify.js'],
  ])('%s is started by its name alone', async (name, file) => {
    await mkdir(join(dir, 'bin'))
    await symlink(node, join(dir, 'bin/node'))
    await symlink(join(ROOT, file), join(dir, 'bin', name))
    const PATH = [join(dir, 'bin'), process.env['PATH']].join(delimiter)
    const ended = await runProcess([join(dir, 'bin', name), '--help'], { cwd: dir, env: { PATH } })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toMatch(new RegExp(`^Usage: ${name} <`))
  })
})

it('a reader that has seen enough ends the command, and is no failure', async () => {
  let pages = 0
  wire.respond = (response, request) => result({ entries, nextPageToken: `page ${(pages += 1)}` })(response, request)
  const child = spawn(process.execPath, [join(ROOT, 'cli/bin/vitrine.js'), 'audit', '--agent', 'a', '--json'], {
    cwd: dir,
    env: { PATH: process.env['PATH'], ...env },
  })
  const said = text(child.stderr)
  const closed = once(child, 'close')
  await once(child.stdout, 'data')
  child.stdout.destroy()
  expect(await closed).toEqual([0, null])
  expect(await said).toBe('')
})

it.each([
  ['holds', BUNDLE, 0],
  ['fails', BUNDLE.replace('"c1"', '"c2"'), 1],
])('the verdict of vitrine-verify is the same when nobody reads the report: %s', async (_, bundle, code) => {
  const verify = join(ROOT, 'verify/bin/vitrine-verify.js')
  const args = [verify, '-', '--quiet', '--key', bytesToBase64(signer.publicKey)]
  const child = spawn(process.execPath, args, { cwd: dir, env: { PATH: process.env['PATH'] } })
  const said = text(child.stderr)
  const closed = once(child, 'close')
  child.stdout.destroy()
  child.stdin.end(bundle)
  expect(await closed).toEqual([code, null])
  expect(await said).toBe('')
})

it('a reader that is slow gets everything', async () => {
  const many = Array.from({ length: 1000 }, () => entries[0]!)
  wire.respond = result({ entries: many, nextPageToken: null })
  const { code, stdout } = await vitrineProcess(['audit', '--agent', 'a', '--json'], { cwd: dir, env })
  expect(code).toBe(0)
  expect(stdout).toBe(many.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
})
