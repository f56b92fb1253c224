import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from '../../functions/src/proof/bundle.ts'
import type { Report } from '../../verify/src/report.ts'
import {
  admin,
  call,
  db,
  done,
  failed,
  invoke,
  newAgent,
  newOwner,
  register,
  type Agent,
  type Owner,
} from '../e2e/world.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { verifyProcess, vitrineVerify } from '../cli/command.ts'
import { stack } from '../stack/stack.ts'
import { auditParts, entriesOf, got } from './world.ts'

/**
 * Runs `vitrine-verify` on what the functions return, as an auditor would: from a bundle or by HTTP, sharing nothing with
 * them; and once as a process of its own.
 */

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
  exitCode: number | null
  report: Report
}

async function verify(args: string[], key = '', run = vitrineVerify): Promise<Verdict> {
  const { code, stdout } = await run([...args, '--json'], { cwd: dir, env: { VITRINE_KEY: key } })
  return { exitCode: code, report: JSON.parse(stdout) as Report }
}

/** The part of a verdict to compare with `expect`, so that a failure shows the findings. */
function verdictOf({ exitCode, report: { result, findings } }: Verdict): unknown {
  return { exitCode, result, findings: findings.list }
}
const HOLDS = { exitCode: 0, result: 'holds', findings: [] }

async function agentOf(owner: Owner): Promise<Agent> {
  const agent = await newAgent(owner)
  await register(agent, { url: `${upstream.origin}/ok` })
  return agent
}

/**
 * An agent whose chain has every kind of outcome: answered, failed, given back, refused. Entries 2 and 3 are its first
 * call, of 8 entries.
 */
async function busyAgent(owner?: Owner): Promise<Agent> {
  const agent = await agentOf(owner ?? (await newOwner()))
  await register(agent, { name: 'dead', url: `${upstream.origin}/resets` })
  await done(invoke(agent, { args: { who: 'someone' } }))
  await checkpoint(agent)
  await failed(invoke(agent, { name: 'dead' }), 'upstream_unreachable')
  await failed(invoke(agent, { name: 'nothing' }), 'tool_not_found')
  return agent
}

function checkpoint({ id: agentId, owner }: Agent): Promise<{ note: string; vkey: string; size: number }> {
  return done(admin('checkpoint', { agentId }, owner))
}

async function auditorOf(owner: Owner): Promise<Owner> {
  const auditor = await newOwner()
  await db().doc(`orgs/${owner.uid}/members/${auditor.uid}`).set({ role: 'auditor' })
  return auditor
}

/** Writes a file that the operator cannot change. */
async function keep(content: string): Promise<string> {
  const path = join(dir, randomUUID())
  await writeFile(path, content)
  return path
}

async function exportTo(data: object, by: Owner): Promise<string> {
  const response = await fetch(`${stack().baseUrl}/exportAudit`, {
    method: 'POST',
    headers: { authorization: `Bearer ${by.bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ data }),
  })
  return keep(await response.text())
}

/** Verifies a bundle from a file and from the running system. */
async function verifyBoth(
  scope: { agentId: string } | { orgId: string },
  by: Owner,
  args: string[] = [],
  run = vitrineVerify,
): Promise<Verdict[]> {
  const named = 'agentId' in scope ? ['--agent', scope.agentId] : ['--org', scope.orgId]
  return [
    await verify([await exportTo(scope, by), ...args], '', run),
    await verify(['--url', stack().baseUrl, ...named, ...args], by.bearer, run),
  ]
}

/**
 * What an auditor keeps who does not trust the operator: the key, a checkpoint, and a folder with receipts of both
 * kinds.
 */
async function heldOf(agent: Agent): Promise<{ args: string[]; size: number }> {
  const answer = await done(invoke(agent))
  const { note, vkey, size } = await checkpoint(agent)
  const { proof } = await done<{ proof: string }>(call('getReceipt', { seq: 2 }, { bearer: agent.key }))
  const receipts = await mkdtemp(join(dir, 'receipts-'))
  await writeFile(join(receipts, 'answer.json'), JSON.stringify(answer))
  await writeFile(join(receipts, '2.tlog-proof'), proof)
  return { args: ['--key', vkey, '--pin', await keep(note), '--receipts', receipts], size }
}

describe('vitrine-verify', () => {
  it('accepts an exported chain, with a checkpoint and receipts held outside, and tells how far these reach', async () => {
    const agent = await busyAgent()
    const { args, size } = await heldOf(agent)
    await done(invoke(agent))
    const log = `agents/${agent.id}`
    for (const [by, openings] of [
      [agent.owner, true],
      [await auditorOf(agent.owner), false],
    ] as const) {
      for (const verdict of await verifyBoth({ agentId: agent.id }, by, args, verifyProcess)) {
        expect(verdictOf(verdict)).toEqual(HOLDS)
        const { report } = verdict
        expect(report).toMatchObject({
          scope: log,
          openings,
          keys: { pinned: true },
          heldOutside: { pins: 1, receipts: 2 },
        })
        expect(report.chains).toMatchObject([
          {
            log,
            size: size + 2,
            checkpoints: { count: 2, signedSize: size },
            calls: { intents: 4, outcomes: 4, reconciled: 0, inFlight: 0 },
            openings: { opened: openings ? 4 : 0 },
            usage: [{ invoked: 4, credited: 1 }],
            held: { pins: 1, receipts: 2 },
            covered: { upTo: size - 1, by: args[3] },
            operatorAlone: [size, size + 1],
          },
        ])
        expect(report.notes.map(({ code }) => code)).toEqual(openings ? [] : ['no_openings'])
      }
    }
  })

  it('accepts what is left after an erasure, and says that it happened', async () => {
    const agent = await busyAgent()
    await done(admin('redact', { agentId: agent.id, seq: 3, reason: 'asked for' }, agent.owner))
    await checkpoint(agent)
    for (const verdict of await verifyBoth({ agentId: agent.id }, agent.owner)) {
      expect(verdictOf(verdict)).toEqual(HOLDS)
      expect(verdict.report.chains).toMatchObject([{ openings: { opened: 1, redacted: [{ reason: 'asked for' }] } }])
    }
  })

  it("accepts an organization's chains, which show each other's checkpoints", async () => {
    const owner = await newOwner()
    const agents = [await busyAgent(owner), await busyAgent(owner)]
    const empty = await newAgent(owner)
    const { note } = await done<{ note: string }>(admin('checkpoint', { orgId: owner.uid }, owner))
    const { args } = await heldOf(agents[0]!)
    const [orgLog, ...agentLogs] = [`orgs/${owner.uid}`, ...[...agents, empty].map(({ id }) => `agents/${id}`).sort()]
    for (const [by, openings] of [
      [owner, true],
      [await auditorOf(owner), false],
    ] as const) {
      for (const verdict of await verifyBoth({ orgId: owner.uid }, by, [...args, '--pin', await keep(note)])) {
        expect(verdictOf(verdict)).toEqual(HOLDS)
        const { report } = verdict
        expect(report.openings).toBe(openings)
        expect(report.chains.map(({ log }) => log)).toEqual([orgLog, ...agentLogs])
        const recorded = Object.fromEntries(report.chains.map((chain) => [chain.log, chain.recorded]))
        expect(recorded).toEqual({
          [orgLog]: { count: 0, unsigned: 0 },
          [`agents/${agents[0]!.id}`]: { count: 2, unsigned: 0 },
          [`agents/${agents[1]!.id}`]: { count: 1, unsigned: 0 },
          [`agents/${empty.id}`]: { count: 0, unsigned: 0 },
        })
        const covered = report.chains.filter((chain) => chain.covered !== null).map(({ log }) => log)
        expect(covered).toEqual([orgLog, `agents/${agents[0]!.id}`])
      }
    }
  })
})

describe('while chains grow and checkpoints are made', () => {
  it("an organization's export is not taken for one that was cut", async () => {
    const owner = await newOwner()
    const agents = [await agentOf(owner), await agentOf(owner)]
    for (const agent of agents) await checkpoint(agent)
    const parts = auditParts()
    const lines = got(await bundle(parts, { log: `orgs/${owner.uid}`, orgId: owner.uid, openings: true }, undefined))
    let exported = ''
    for await (const piece of lines) {
      exported += piece
      if (!piece.includes('"type":"chain"')) continue
      // The length of one chain has just been pinned, and every chain grows.
      for (const agent of agents) {
        await done(invoke(agent))
        await checkpoint(agent)
      }
    }
    const verdict = await verify([await keep(exported)])
    expect(verdictOf(verdict)).toEqual(HOLDS)
    const { chains } = verdict.report
    expect(chains.map(({ recorded }) => recorded.count)).toEqual([0, 1, 1])
    const sizes = await Promise.all(chains.map(async ({ log }) => (await entriesOf(parts, log)).length))
    expect(sizes.map((size, i) => size - chains[i]!.size)).toEqual([6, 4, 2])
  })

  it('exports of a running system hold', async () => {
    const owner = await newOwner()
    const agents = [await busyAgent(owner), await busyAgent(owner)]
    const auditor = await auditorOf(owner)
    const { args } = await heldOf(agents[0]!)
    const stop = new AbortController()
    const load = Promise.all(
      agents.map(async (agent) => {
        while (!stop.signal.aborted) {
          await Promise.all([done(invoke(agent)), done(invoke(agent))])
          await checkpoint(agent)
        }
      }),
    )
    const verdicts: Verdict[] = []
    try {
      for (const by of [owner, auditor]) {
        verdicts.push(
          ...(await verifyBoth({ orgId: owner.uid }, by, args)),
          ...(await verifyBoth({ agentId: agents[0]!.id }, by, args)),
        )
      }
    } finally {
      stop.abort()
      await load
    }
    expect(verdicts.map(verdictOf)).toEqual(verdicts.map(() => HOLDS))
    const sizes = verdicts.map(({ report }) => report.chains.find(({ log }) => log === `agents/${agents[0]!.id}`)!.size)
    expect(sizes.at(-1)).toBeGreaterThan(sizes[0]!)
  }, 60_000)
})

describe("what was done to Firestore behind the functions' back", () => {
  it('an entry that was edited', async () => {
    const agent = await busyAgent()
    const segment = (await db().collection(`agents/${agent.id}/audit`).where('first', '==', 3).get()).docs[0]!
    const [line, ...rest] = segment.data()['entries'] as [string]
    await segment.ref.update({ entries: [line.replace(/"actor":"[^"]*"/, '"actor":"user:somebody"'), ...rest] })
    for (const { exitCode, report } of await verifyBoth({ agentId: agent.id }, agent.owner)) {
      expect(exitCode).toBe(1)
      expect(report).toMatchObject({
        result: 'fails',
        findings: { first: { log: `agents/${agent.id}`, seq: 3, looksLike: 'edit' } },
      })
    }
  })

  it("a chain that was cut off, its checkpoints with it: the organization's chain names them", async () => {
    const agent = await busyAgent()
    await checkpoint(agent)
    const log = `agents/${agent.id}`
    for (const found of [
      await db().collection(`${log}/audit`).where('first', '>', 2).get(),
      await db().collection(`${log}/checkpoints`).get(),
    ]) {
      await Promise.all(found.docs.map((doc) => doc.ref.delete()))
    }
    await db().recursiveDelete(db().collection(`${log}/usage`))
    for (const { exitCode, report } of await verifyBoth({ orgId: agent.owner.uid }, agent.owner)) {
      expect(exitCode).toBe(1)
      expect(report.findings.byCode).toEqual({ org_checkpoint_beyond_chain: 2 })
    }
  })

  it("an agent that was hidden: the organization's chain names it", async () => {
    const owner = await newOwner()
    const [hidden, other] = [await busyAgent(owner), await busyAgent(owner)]
    await db().doc(`agents/${hidden.id}`).delete()
    for (const { exitCode, report } of await verifyBoth({ orgId: owner.uid }, owner)) {
      expect(exitCode).toBe(1)
      expect(report.chains.map(({ log }) => log)).toEqual([`orgs/${owner.uid}`, `agents/${other.id}`])
      expect(report.findings).toMatchObject({ count: 1, first: { code: 'chain_missing', log: `orgs/${owner.uid}` } })
      expect(report.findings.first!.message).toContain(`agents/${hidden.id}`)
    }
  })
})
