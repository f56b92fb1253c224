import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytesToBase64 } from '@vitrine/core/bytes'
import { ED25519, formatVerifierKey, verifierKey } from '@vitrine/core/log/note'
import {
  createSigner,
  entries,
  invokedAs,
  ORIGIN,
  pem,
  proofFor,
  publicKey,
  vkey,
  WITNESSED_S,
  witnessVkey,
} from '../sdk/receipts.ts'
import type { Ended } from '../support/command.ts'
import { vitrine } from './command.ts'

let dir: string
const other = createSigner('other').publicKey
const invocation = { status: 200, ok: true, result: { receipt: 'of the tool' }, receipt: invokedAs(3) }
const FILES: Record<string, string> = {
  receipt: proofFor(3),
  'receipt.json': JSON.stringify({ entry: entries[3], proof: proofFor(3), checkpointSize: 12 }),
  'answer.json': JSON.stringify({ result: { entry: entries[3], proof: proofFor(3), checkpointSize: 12 } }),
  forged: proofFor(3).replace('index 3', 'index 2'),
  'forged.json': JSON.stringify({ entry: entries[4], proof: proofFor(3), checkpointSize: 12 }),
  'other.vkey': formatVerifierKey(verifierKey(ORIGIN, ED25519, other)),
  'keys.pem': pem,
  'two-keys': `${bytesToBase64(other)}\n${publicKey}\n`,
  witness: `${witnessVkey}\n`,
  invoked: JSON.stringify(invokedAs(3)),
  invocation: JSON.stringify(invocation),
  'invoke-answer': JSON.stringify({ result: invocation }),
  'invoked-other': JSON.stringify(invokedAs(4)),
  'invoked-rewritten': JSON.stringify({ ...invokedAs(3), hash: invokedAs(4).hash }),
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-cli-'))
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(dir, name), content)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

function verify(args: string[], stdin?: string): Promise<Ended> {
  return vitrine(['verify-receipt', ...args], { cwd: dir, ...(stdin !== undefined && { stdin }) })
}

describe('a receipt that holds', () => {
  it.each([
    [['receipt', '--key', vkey]],
    [['receipt.json', '--key', vkey]],
    [['answer.json', '--key', vkey]],
    [['receipt', '--key', 'keys.pem', '--origin', ORIGIN]],
    [['receipt', '--key', publicKey, '--origin', ORIGIN]],
    [['receipt', '--key', 'two-keys', '--origin', ORIGIN]],
    [['receipt', '--key', vkey, '--invoked', 'invocation']],
    [['receipt', '--key', vkey, '--invoked', 'invoke-answer']],
    [['receipt', '--key', vkey, '--key', 'other.vkey', '--invoked', 'invoked', '--witness', 'witness']],
  ])('%j', async (args) => {
    const { code, stdout, stderr } = await verify(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^valid: +entry 3 of agents\/agt_1 is on record\n/)
    expect(stdout).toContain(
      args.includes('--witness') ? new Date(WITNESSED_S * 1000).toISOString() : 'none that was asked for',
    )
  })

  it('comes by standard input, and is told as JSON', async () => {
    const { code, stdout } = await verify(['-', '--key', vkey, '--json'], FILES['receipt'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      valid: true,
      entry: entries[3],
      hash: invokedAs(3).hash,
      checkpoint: { origin: ORIGIN, size: 12 },
      witnesses: [],
    })
  })
})

describe('a receipt that does not', () => {
  it.each([
    [['forged', '--key', vkey], 'the entry is not number 2 of the 12'],
    [['forged.json', '--key', vkey], 'of another entry'],
    [['receipt', '--key', 'other.vkey'], 'no signature of a known key'],
    [['receipt', '--key', vkey, '--origin', 'demo-vitrine/agents/agt_2'], 'not demo-vitrine/agents/agt_2'],
    [['receipt', '--key', vkey, '--invoked', 'invoked-other'], 'the invocation was entry 4'],
    [['receipt', '--key', vkey, '--invoked', 'invoked-rewritten'], 'is not the one that the invocation was told of'],
    [['invoked', '--key', vkey], 'a receipt is what getReceipt answers'],
  ])('%j', async (args, problem) => {
    const { code, stdout, stderr } = await verify(args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^vitrine: The receipt is not valid: .+ \(receipt_invalid\)\n$/)
    expect(stderr).toContain(problem)
  })
})

describe('what cannot be checked', () => {
  it.each([
    [['receipt'], 'give --key'],
    [['--key', vkey], 'the receipt is missing'],
    [['receipt', 'forged', '--key', vkey], 'unexpected argument forged'],
    [['nowhere', '--key', vkey], 'nowhere cannot be read (ENOENT)'],
    [['receipt', '--key', 'nowhere'], 'nowhere cannot be read (ENOENT)'],
    [['receipt', '--key', 'forged'], '--key forged: not a file of keys'],
    [['receipt', '--key', publicKey], 'A key without a name needs it'],
    [['receipt', '--key', witnessVkey], 'witness'],
    [['receipt', '--key', vkey, '--witness', vkey], 'Not the verifier key of a witness'],
    [['receipt', '--key', vkey, '--invoked', 'receipt'], 'no JSON with log, seq and hash'],
  ])('%j', async (args, problem) => {
    const { code, stdout, stderr } = await verify(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^vitrine: .+\n$/)
    expect(stderr).toContain(problem)
  })
})
