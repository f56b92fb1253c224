import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { admin, call, db, done, failed, invoke, newAgent, newAgentWith, newOwner, type Agent, type Owner } from '../e2e/world.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { stack } from '../stack/stack.ts'

/** What the functions give out, judged by `vitrine-verify` as an auditor runs it: another process that shares no state with them. */

let upstream: Upstream
let dir: string
beforeAll(async () => {
  upstream = await startUpstream()
  dir = await mkdtemp(join(tmpdir(), 'vitrine-verify-'))
})
afterAll(async () => {
  await upstream.close()
  await rm(dir, { recursive: true, force: true })
})

interface Verdict {
  exitCode: number
  report: { result: string }
}

async function verify(args: string[], key = ''): Promise<Verdict> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../verify/src/cli.ts'), ...args, '--json'], { env: { ...process.env, VITRINE_KEY: key } })
  const [exitCode, out] = await Promise.all([new Promise<number>((resolve) => child.once('close', resolve)), text(child.stdout), text(child.stderr)])
  return { exitCode, report: JSON.parse(out) as Verdict['report'] }
}

/** An agent with every kind of outcome on its chain: answered, failed, given back, refused, erased. */
async function busyAgent(): Promise<Agent> {
  const agent = await newAgentWith(`${upstream.origin}/ok`)
  await done(call('registerTool', { agentId: agent.id, name: 'dead', kind: 'http', url: `${upstream.origin}/resets` }, { bearer: agent.owner.bearer }))
  await done(invoke(agent, { args: { who: 'someone' } }))
  await done(admin('checkpoint', { agentId: agent.id }, agent.owner))
  await failed(invoke(agent, { name: 'dead' }), 'upstream_unreachable')
  await failed(invoke(agent, { name: 'nothing' }), 'tool_not_found')
  return agent
}

async function exportTo(file: string, data: object, by: Owner): Promise<string> {
  const response = await fetch(`${stack().baseUrl}/exportAudit`, {
    method: 'POST', headers: { authorization: `Bearer ${by.bearer}`, 'content-type': 'application/json' }, body: JSON.stringify({ data }),
  })
  const path = join(dir, file)
  await writeFile(path, await response.text())
  return path
}

describe('vitrine-verify', () => {
  it('accepts an exported chain, with a checkpoint and receipts held outside', async () => {
    const agent = await busyAgent()
    const { note, vkey } = await done<{ note: string; vkey: string }>(admin('checkpoint', { agentId: agent.id }, agent.owner))
    const { proof } = await done<{ proof: string }>(call('getReceipt', { seq: 2 }, { bearer: agent.key }))
    await done(invoke(agent))
    const bundle = await exportTo('agent.jsonl', { agentId: agent.id }, agent.owner)
    const [pin, receipts] = [join(dir, 'pinned'), await mkdtemp(join(dir, 'receipts-'))]
    await writeFile(pin, note)
    await writeFile(join(receipts, '2.tlog-proof'), proof)
    expect(await verify([bundle, '--key', vkey, '--pin', pin, '--receipts', receipts])).toMatchObject({ exitCode: 0, report: { result: 'holds' } })
  })

  it('accepts what is left after an erasure, and says that it happened', async () => {
    const agent = await busyAgent()
    await done(admin('redact', { agentId: agent.id, seq: 3, reason: 'asked for' }, agent.owner))
    await done(admin('checkpoint', { agentId: agent.id }, agent.owner))
    const { exitCode, report } = await verify([await exportTo('redacted.jsonl', { agentId: agent.id }, agent.owner)])
    expect({ exitCode, result: report.result }).toEqual({ exitCode: 0, result: 'holds' })
    expect(JSON.stringify(report)).toMatch(/redact/)
  })

  it('accepts an organization\'s chains, without openings for an auditor, from a file and from the running system', async () => {
    const agent = await busyAgent()
    const orgId = agent.owner.uid
    await newAgent(agent.owner)
    await done(admin('checkpoint', { orgId }, agent.owner))
    const auditor = await newOwner()
    await db().doc(`orgs/${orgId}/members/${auditor.uid}`).set({ role: 'auditor' })
    for (const by of [agent.owner, auditor]) {
      expect(await verify([await exportTo('org.jsonl', { orgId }, by)])).toMatchObject({ exitCode: 0, report: { result: 'holds' } })
      expect(await verify(['--url', stack().baseUrl, '--org', orgId], by.bearer)).toMatchObject({ exitCode: 0, report: { result: 'holds' } })
    }
  })

  it('refuses a chain of which something was changed in Firestore', async () => {
    const agent = await busyAgent()
    await done(admin('checkpoint', { agentId: agent.id }, agent.owner))
    const segment = (await db().collection(`agents/${agent.id}/audit`).where('first', '==', 2).get()).docs[0]!
    const [entry, ...rest] = segment.data()['entries'] as object[]
    await segment.ref.update({ entries: [{ ...entry, actor: 'user:somebody' }, ...rest] })
    expect(await verify([await exportTo('tampered.jsonl', { agentId: agent.id }, agent.owner)])).toMatchObject({ exitCode: 1, report: { result: 'fails' } })
  })
})
