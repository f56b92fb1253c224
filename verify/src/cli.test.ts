import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bytesToBase64 } from '@vitrine/core/bytes'
import { hashEntry } from '@vitrine/core/log/entry'
import { ED25519, formatVerifierKey, verifierKey } from '@vitrine/core/log/note'
import { runHere, type Ended } from '../../test/support/command.ts'
import { start } from './cli.ts'
import { bundleLines, bundleText, createSigner, createTestChain, proofOf } from './fixture.ts'
import type { Report } from './report.ts'

const SIGNER = createSigner('operator')
const T0 = Date.UTC(2026, 10, 20)

const chain = createTestChain('agents/agt_1', SIGNER)
chain.intent(T0, 'c1', { q: 1 })
chain.outcome(T0 + 5, 'c1')
const NOTE = chain.checkpoint()
chain.intent(T0 + 6, 'c2', { q: '\u001b[2Jx' })
chain.outcome(T0 + 7, 'c2')
const GOOD = bundleText(bundleLines(chain.log, chain.lines(true), [SIGNER]))
const BAD = GOOD.replace('"durationMs":12', '"durationMs":13')

let folder = ''
const path = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vitrine-verify-'))
  await mkdir(path('receipts'))
  await mkdir(path('rotten'))
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), SIGNER.publicKey]).toString('base64')
  const files: Record<string, string> = {
    'good.jsonl': GOOD,
    'bad.jsonl': BAD,
    'cut.jsonl': GOOD.slice(0, -30),
    'other.txt': 'hello\n',
    'empty.jsonl': '',
    'pin.txt': NOTE,
    'bad-pin.txt': NOTE.slice(0, -9),
    'key.pem': `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`,
    'keys.txt': `${bytesToBase64(createSigner('older').publicKey)}\n${bytesToBase64(SIGNER.publicKey)}\n`,
    'rotten/a.json': '{"log":"agents/agt_1"}',
    'receipts/answer.json': JSON.stringify({
      status: 200,
      ok: true,
      receipt: { log: chain.log, seq: 1, hash: hashEntry(chain.entries()[1]!) },
    }),
    'receipts/several.jsonl': chain
      .entries()
      .slice(0, 2)
      .map((entry) => `${JSON.stringify({ log: chain.log, seq: entry.seq, hash: hashEntry(entry) })}\n`)
      .join(''),
    'receipts/entry.tlog-proof': proofOf(chain.entries().slice(0, 2), 0, NOTE),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(path(name), text)
})

afterAll(() => rm(folder, { recursive: true }))

function run(args: string[], stdin = ''): Promise<Ended> {
  return runHere(start, args, { cwd: folder, stdin })
}

describe('exit code 0', () => {
  test('and a report that says who vouches for what', async () => {
    const { code, stdout, stderr } = await run([
      'good.jsonl',
      '--key',
      bytesToBase64(SIGNER.publicKey),
      '--pin',
      'pin.txt',
      '--quiet',
    ])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('covered by an externally held checkpoint up to entry 1 (pin.txt)')
    expect(stdout).toContain('entries 2..3 are vouched for by the operator alone')
    expect(stdout).not.toMatch(/^OK/m)
  })

  test('from standard input, with a warning when nothing is held outside', async () => {
    const { code, stdout } = await run(['-'], GOOD)
    expect(code).toBe(0)
    expect(stdout).toContain('no externally held checkpoint was given: the operator could have rewritten everything')
    expect(stdout).toContain('NOT pinned')
  })

  test.each<[string, () => string]>([
    ['base64', () => bytesToBase64(SIGNER.publicKey)],
    ['a verifier key', () => formatVerifierKey(verifierKey(chain.origin, ED25519, SIGNER.publicKey))],
    ['a PEM file', () => 'key.pem'],
    ['a file of keys', () => 'keys.txt'],
  ])('with a key as %s', async (_, key) => {
    const { code, stdout } = await run(['good.jsonl', '--json', '--key', key()])
    expect(code).toBe(0)
    expect((JSON.parse(stdout) as Report).keys.pinned).toBe(true)
  })

  test('with receipts of every kind', async () => {
    const { code, stdout } = await run(['good.jsonl', '--json', '--receipts', 'receipts'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      result: 'holds',
      heldOutside: { pins: 0, receipts: 4 },
      chains: [{ covered: { upTo: 1 }, operatorAlone: [2, 3] }],
    })
  })

  test('for --help', async () => {
    expect(await run(['--help'])).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('Usage: vitrine-verify') as unknown,
    })
  })
})

describe('exit code 1', () => {
  test('and the first bad entry', async () => {
    const { code, stdout } = await run(['bad.jsonl'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/First bad entry or line: agents\/agt_1, entry 1, line \d+: .*; looks like: edit\n/)
    expect(stdout).toContain('FAILS')
  })

  test('as JSON, and nothing on stderr', async () => {
    const { code, stdout, stderr } = await run(['bad.jsonl', '--json'])
    expect([code, stderr, stdout.split('\n').length]).toEqual([1, '', 2])
    expect(JSON.parse(stdout)).toMatchObject({
      v: 1,
      result: 'fails',
      findings: { first: { code: 'link_broken', log: 'agents/agt_1', seq: 1, looksLike: 'edit' } },
    })
  })

  test('for another key than the pinned one', async () => {
    const { code, stdout } = await run(['good.jsonl', '--key', bytesToBase64(createSigner('other').publicKey)])
    expect(code).toBe(1)
    expect(stdout).toContain('forged signature')
  })

  test('and nothing that a bundle says reaches the terminal as a control character', async () => {
    const hostile = GOOD.replaceAll('"target":"search"', '"target":"\\u001b[2J\\u202e"').replaceAll(
      'c1',
      'c1\\u001b]0;',
    )
    const { code, stdout, stderr } = await run(['-'], hostile)
    expect(code).toBe(1)
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  })
})

describe('exit code 2 and one line', () => {
  test.each<[string, string[], RegExp]>([
    ['no bundle', [], /no bundle is given/],
    ['a missing file', ['nowhere.jsonl'], /nowhere.jsonl cannot be read \(ENOENT\)/],
    ['a folder', ['receipts'], /is a folder/],
    ['no bundle in the file', ['other.txt'], /not a bundle/],
    ['an empty file', ['empty.jsonl'], /not a bundle/],
    ['two bundles', ['good.jsonl', 'good.jsonl'], /one bundle at a time/],
    ['an unknown flag', ['good.jsonl', '--frobnicate'], /--frobnicate/],
    ['a flag without its value', ['good.jsonl', '--pin'], /--pin/],
    ['a missing pin', ['good.jsonl', '--pin', 'nowhere'], /--pin nowhere: cannot be read/],
    ['a pin that is none', ['good.jsonl', '--pin', 'bad-pin.txt'], /--pin bad-pin.txt: not a signed checkpoint/],
    ['a key that is none', ['good.jsonl', '--key', 'AAAA'], /--key AAAA/],
    ['a file without keys', ['good.jsonl', '--key', 'other.txt'], /not a file of Ed25519 keys/],
    ['a witness that is none', ['good.jsonl', '--witness', 'other.txt'], /--witness other.txt/],
    ['missing receipts', ['good.jsonl', '--receipts', 'nowhere'], /--receipts nowhere/],
    ['receipts that are none', ['good.jsonl', '--receipts', 'rotten'], /a\.json: neither a tlog-proof nor JSON/],
    ['--agent without --url', ['good.jsonl', '--agent', 'agt_1'], /go with --url/],
    ['--url without a scope', ['--url', 'http://127.0.0.1:1'], /either --agent or --org/],
    ['--url that is none', ['--url', 'ftp://x', '--agent', 'a'], /not an http or https address/],
    ['--url without a key', ['--url', 'http://127.0.0.1:1', '--agent', 'agt_1'], /VITRINE_KEY/],
  ])('for %s', async (_, args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/^vitrine-verify: [^\n]+\n$/)
  })

  test('for bad input with --json, as JSON', async () => {
    const { code, stdout } = await run(['nowhere.jsonl', '--json'])
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toEqual({ v: 1, result: 'bad_input', error: 'nowhere.jsonl cannot be read (ENOENT)' })
  })

  test('for a bundle that was cut off', async () => {
    expect(await run(['cut.jsonl'])).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('INCOMPLETE') as unknown,
    })
    expect(JSON.parse((await run(['cut.jsonl', '--json'])).stdout)).toMatchObject({ result: 'incomplete' })
  })
})
