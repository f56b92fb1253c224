import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Entry } from '@vitrine/core/log/entry'
import {
  call,
  db,
  done,
  failed,
  invoke,
  newAgent,
  newAgentWith,
  newOwner,
  register,
  type Agent,
  type Owner,
} from '../e2e/world.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { testKey } from '../sdk/test-key.ts'
import { stack } from '../stack/stack.ts'
import type { Ended } from '../support/command.ts'
import { verifyProcess, vitrine, vitrineProcess, vitrineVerify } from './command.ts'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.close())

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-cli-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A key for scripts, for the owner's own organization or the one named. */
async function ownerKeyOf(owner: Owner, orgId?: string): Promise<string> {
  return (
    await done<{ key: string }>(
      call('admin/createOwnerKey', { label: 'cli', ...(orgId && { orgId }) }, { bearer: owner.bearer }),
    )
  ).key
}

/** The folder and environment of a command. */
function settingOf(key: string) {
  return { cwd: dir, env: { VITRINE_URL: stack().baseUrl, VITRINE_KEY: key } }
}

function run(args: string[], key: string, stdin = ''): Promise<Ended> {
  return vitrine(args, { ...settingOf(key), stdin })
}

/** Runs a command that must succeed; returns its standard output. */
async function output(args: string[], key = ''): Promise<string> {
  const { code, stdout, stderr } = await run(args, key)
  expect(code, stderr).toBe(0)
  return stdout
}

/** Runs a command that must fail with one line that says why, and no other output. */
async function refusal(args: string[], key: string, code: number, stdin = ''): Promise<string> {
  const ended = await run(args, key, stdin)
  expect(ended).toMatchObject({ code, stdout: '' })
  expect(ended.stderr).toMatch(/^vitrine: .+\n$/)
  if (key !== '') expect(ended.stderr).not.toContain(key.split('.')[2])
  return ended.stderr
}

function file(name: string): string {
  return join(dir, name)
}

describe('from a call to its proof', () => {
  it('what the commands write, vitrine-verify accepts; and what was changed, it does not', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    const key = await ownerKeyOf(agent.owner)
    const invocation = await done<{ receipt: { seq: number } }>(invoke(agent, { args: { city: 'Zürich' } }))
    await writeFile(file('invoked.json'), JSON.stringify(invocation))
    const seq = String(invocation.receipt.seq)

    // No checkpoint covers it yet.
    expect(await refusal(['receipt', '--agent', agent.id, '--seq', seq], key, 1)).toContain('(receipt_pending)')
    const signed = await run(['checkpoint', '--agent', agent.id, '--out', 'pinned.txt'], key)
    expect(signed).toMatchObject({ code: 0, stdout: '' })
    const vkey = /Verifier key: (\S+)/.exec(signed.stderr)![1]!
    await done(invoke(agent))

    await mkdir(file('receipts'))
    await output(['receipt', '--agent', agent.id, '--seq', seq, '--out', 'receipts/a.txt'], key)
    expect(await output(['receipt', '--seq', seq], agent.key)).toBe(await readFile(file('receipts/a.txt'), 'utf8'))
    await writeFile(file('operator.pem'), await output(['keys', '--pem'], key))
    const origin = `${stack().project}/agents/${agent.id}`
    // Offline: without an address and without a user's key.
    for (const pinned of [
      ['--key', vkey],
      ['--key', 'operator.pem', '--origin', origin],
    ]) {
      const verified = await vitrine(['verify-receipt', 'receipts/a.txt', '--invoked', 'invoked.json', ...pinned], {
        cwd: dir,
      })
      expect(verified).toMatchObject({ code: 0, stderr: '' })
      expect(verified.stdout).toContain(`entry ${seq} of agents/${agent.id} is on record`)
    }

    const written = await vitrineProcess(['export', '--agent', agent.id, '--out', 'bundle.jsonl'], settingOf(key))
    expect(written).toMatchObject({ code: 0, stdout: '' })
    const held = ['--key', 'operator.pem', '--pin', 'pinned.txt', '--receipts', 'receipts']
    const report = await verifyProcess(['bundle.jsonl', ...held], { cwd: dir })
    expect(report.code, report.stdout + report.stderr).toBe(0)

    const bundle = await readFile(file('bundle.jsonl'), 'utf8')
    expect(bundle).toContain('Zürich')
    await writeFile(file('changed.jsonl'), bundle.replace('"target":"tool"', '"target":"loot"'))
    expect((await vitrineVerify(['changed.jsonl', ...held], { cwd: dir })).code).toBe(1)
  })

  it('an export that broke off is the same in the end', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    const key = await ownerKeyOf(agent.owner)
    const orgId = agent.owner.uid
    for (let i = 0; i < 3; i++) await done(invoke(agent, { args: { i } }))
    await output(['checkpoint', '--agent', agent.id], key)
    await output(['checkpoint', '--org', orgId], key)
    await output(['export', '--org', orgId, '--out', 'whole.jsonl'], key)
    const whole = await readFile(file('whole.jsonl'))
    for (const share of [0.1, 0.5, 0.7, 0.99]) {
      await writeFile(file('part.jsonl'), whole.subarray(0, Math.floor(whole.length * share)))
      await output(['export', '--org', orgId, '--out', 'part.jsonl', '--resume'], key)
      expect(await readFile(file('part.jsonl'), 'utf8')).toBe(whole.toString())
    }
    const again = await run(['export', '--org', orgId, '--out', 'part.jsonl', '--resume'], key)
    expect(again).toMatchObject({ code: 0, stderr: 'part.jsonl is complete already.\n' })
    expect(await refusal(['export', '--agent', agent.id, '--out', 'part.jsonl', '--resume'], key, 2)).toContain(
      `an export of orgs/${orgId}`,
    )
  })

  it('nothing that is there is written over', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    const key = await ownerKeyOf(agent.owner)
    await writeFile(file('held'), 'evidence')
    const chain = ['--agent', agent.id]
    await output(['checkpoint', ...chain], key)
    for (const command of [
      ['checkpoint', ...chain],
      ['receipt', ...chain, '--seq', '0'],
      ['export', ...chain],
    ]) {
      expect(await refusal([...command, '--out', 'held'], key, 2)).toBe('vitrine: held exists already\n')
    }
    expect(await readFile(file('held'), 'utf8')).toBe('evidence')
  })
})

describe('vitrine audit', () => {
  let agent: Agent
  let key: string
  beforeAll(async () => {
    agent = await newAgentWith(`${upstream.origin}/ok`)
    key = await ownerKeyOf(agent.owner)
    await register(agent, { name: 'broken', url: `${upstream.origin}/fails` })
    for (let i = 0; i < 3; i++) await done(invoke(agent))
    await done(invoke(agent, { name: 'broken' }))
    await failed(invoke(agent, { name: 'nothing' }), 'tool_not_found')
  })

  const listed = async (...args: string[]): Promise<Entry[]> => {
    const text = await output(['audit', '--agent', agent.id, '--json', ...args], key)
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Entry)
  }

  it('pages through all, newest first, and stops where it is told to', async () => {
    const seqs = (await listed()).map(({ seq }) => seq)
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => seqs.length - 1 - i))
    expect(seqs.length).toBeGreaterThan(10)
    expect((await listed('--limit', '4')).map(({ seq }) => seq)).toEqual(seqs.slice(0, 4))
  })

  it('narrows down', async () => {
    expect(await listed('--tool', 'broken', '--outcome', 'failed')).toMatchObject([
      { action: 'tool.invoke', target: 'broken', meta: { status: 503 } },
    ])
    expect(await listed('--outcome', 'denied')).toMatchObject([{ action: 'tool.deny', target: 'nothing' }])
    expect(await listed('--action', 'tool.invoke', '--outcome', 'ok')).toHaveLength(3)
    expect(await listed('--actor', `user:${agent.owner.uid}`, '--action', 'tool.register')).toHaveLength(2)
    const all = await listed()
    const { ts } = all[3]!
    expect(await listed('--from', ts)).toEqual(all.filter((entry) => entry.ts >= ts))
    expect(await listed('--to', ts)).toEqual(all.filter((entry) => entry.ts <= ts))
    const day = ts.slice(0, 10)
    expect((await listed('--from', day, '--to', day)).length).toBe(
      all.filter((entry) => entry.ts.startsWith(day)).length,
    )
  })

  it('is a table for people, of an organization too', async () => {
    const table = (await output(['audit', '--org', agent.owner.uid, '--limit', '3'], key)).split('\n')
    expect(table[0]).toMatch(/^TIME +CHAIN +SEQ +ACTION +ACTOR +TARGET +OUTCOME$/)
    expect(table).toHaveLength(5)
    expect(table.slice(1, 4).join('\n')).toContain('denied')
    const none = await run(['audit', '--agent', agent.id, '--tool', 'unheard-of'], key)
    expect(none).toEqual({ code: 0, stdout: '', stderr: 'Nothing on record fits.\n' })
  })

  it('is for auditors as well, who sign nothing', async () => {
    const auditor = await newOwner()
    await db().doc(`orgs/${agent.owner.uid}/members/${auditor.uid}`).set({ role: 'auditor' })
    const theirs = await ownerKeyOf(auditor, agent.owner.uid)
    expect(await output(['audit', '--agent', agent.id, '--json'], theirs)).toBe(
      await output(['audit', '--agent', agent.id, '--json'], key),
    )
    expect(await refusal(['checkpoint', '--agent', agent.id], theirs, 1)).toContain('(permission_denied)')
  })
})

describe('what fails says so in one line', () => {
  it('a key that opens nothing, or nothing here', async () => {
    const agent = await newAgent()
    const chain = ['--agent', agent.id]
    const unknown = testKey('owner', 'key_unknown')
    for (const command of [
      ['audit', ...chain],
      ['checkpoint', ...chain],
      ['receipt', ...chain, '--seq', '0'],
      ['export', ...chain, '--out', 'x'],
      ['keys'],
    ]) {
      expect(await refusal(command, unknown, 1)).toContain('(invalid_key)')
    }
    await expect(readFile(file('x'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await refusal(['audit', ...chain], `${unknown}x`, 2)).toContain('(malformed_key)')
    expect(await refusal(['audit', ...chain], await ownerKeyOf(await newOwner()), 1)).toContain('(agent_not_found)')
    expect(await refusal(['audit', ...chain], agent.key, 1)).toContain('(permission_denied)')
  })

  it('no server', async () => {
    const gone = await startUpstream()
    await gone.close()
    const { origin } = gone
    expect(await refusal(['keys', '--url', origin], testKey('owner'), 1)).toMatch(/network_error: .*ECONNREFUSED/)
  })

  it.each([
    [['audit', '--agnt', 'x'], "Unknown option '--agnt'"],
    [['audit', '--key', 'x'], "Unknown option '--key'"],
    [['audit', 'x'], 'unexpected argument x'],
    [['audit'], 'which chain?'],
    [['audit', '--agent', '../x'], 'agentId: Must be an id'],
    [['audit', '--agent', 'a', '--outcome', 'good'], 'outcome: Must be ok or failed'],
    [['audit', '--agent', 'a', '--limit', '0'], '--limit must be'],
    [['audit', '--agent', 'a', '--from', 'yesterday'], '--from must be'],
    [['audit', '--agent', 'a', '--to', '2026-02-31T00:00:00'], '--to must be'],
    [['receipt', '--agent', 'a'], 'Give --seq'],
    [['receipt', '--seq', '1'], 'which chain?'],
    [['receipt', '--agent', 'a', '--seq', '-1'], "Option '--seq' argument is ambiguous"],
    [['receipt', '--agent', 'a', '--seq=1.5'], '--seq must be'],
    [['export', '--agent', 'a'], 'Give --out'],
    [['checkpoint', '--agent', 'a', '--url', 'ftp://x'], '(invalid_url)'],
    [['frobnicate'], 'no command frobnicate'],
  ])('%j', async (args, problem) => {
    expect(await refusal(args, testKey('owner'), 2)).toContain(problem)
  })

  it('prints what it can do', async () => {
    expect(await output(['--help'])).toContain('verify-receipt')
    for (const command of ['audit', 'export', 'checkpoint', 'receipt', 'verify-receipt', 'keys']) {
      expect(await output([command, '--help'])).toMatch(new RegExp(`^Usage: vitrine ${command} `))
    }
    expect(await run([], '')).toMatchObject({ code: 2, stdout: expect.stringContaining('Usage') as unknown })
  })
})

it('apply gives an agent the tools of its agent.yaml, or says where the file is wrong', async () => {
  const agent = await newAgentWith(`${upstream.origin}/ok`)
  const key = await ownerKeyOf(agent.owner)
  await writeFile(file('agent.yaml'), 'tools: ["mcp:tool"]')
  expect(await output(['apply', 'agent.yaml', '--agent', agent.id], key)).toBe('tool\n')
  await writeFile(file('agent.yaml'), 'tools:\n  - mcp:tool\n  - "mcp:\\e[2J"\n  - mcp:none\nmore: 1\n')
  const wrong = await run(['apply', 'agent.yaml', '--agent', agent.id], key)
  expect(wrong).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'agent.yaml:3:5 tools[1]: Must be "mcp:" and the name of a server.\nagent.yaml:5:1 Unknown field: more.\n',
  })
  expect((await run(['apply', '-', '--agent', agent.id], key, 'tools: [mcp:none]')).stderr).toBe(
    '-:1:9 There is no server or tool mcp:none for this agent.\n',
  )
  expect(await refusal(['apply', 'agent.yaml'], key, 2)).toContain('which agent?')
  expect(await refusal(['apply', 'none.yaml', '--agent', agent.id], key, 2)).toContain('cannot be read')
})
