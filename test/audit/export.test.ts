import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseBundleLine, type BundleLine, type ChainLine } from '@vitrine/core/log/bundle'
import { commit } from '@vitrine/core/log/commitment'
import { hashEntry, type Draft, type Entry } from '@vitrine/core/log/entry'
import { parseVerifierKey } from '@vitrine/core/log/note'
import { verifyCheckpoint } from '@vitrine/core/log/checkpoint'
import { createLedgerStore } from '../../functions/src/ledger/firestore-store.ts'
import { createLedger } from '../../functions/src/ledger/ledger.ts'
import { bundle } from '../../functions/src/proof/bundle.ts'
import { pinChain, chainLines } from '../../functions/src/proof/chain-lines.ts'
import type { Parts } from '../../functions/src/parts.ts'
import {
  admin,
  call,
  db,
  done,
  failed,
  invoke,
  newAgent,
  newAgentWith,
  newOwner,
  type Agent,
  type Owner,
  rpc,
} from '../e2e/world.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { stack } from '../stack/stack.ts'
import { auditParts, checkpointed, entriesOf, fill, got, newChain } from './world.ts'

let upstream: Upstream
let parts: Parts
beforeAll(async () => {
  upstream = await startUpstream()
  parts = auditParts()
})
afterAll(() => upstream.close())

interface ResumeAt {
  log: string
  size: number
  seq: number
  chains?: number
  entries?: number
}

async function exported(data: object, by: Owner): Promise<string> {
  const response = await fetch(`${stack().baseUrl}/exportAudit`, {
    method: 'POST',
    headers: { authorization: `Bearer ${by.bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ data }),
  })
  expect(response.headers.get('content-type')).toBe('application/jsonl; charset=utf-8')
  expect(response.status).toBe(200)
  return response.text()
}

function linesOf(text: string): BundleLine[] {
  expect(text.endsWith('\n')).toBe(true)
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => got(parseBundleLine(line)))
}

function ofType<T extends BundleLine['type']>(
  lines: readonly BundleLine[],
  type: T,
): Extract<BundleLine, { type: T }>[] {
  return lines.filter((line) => line.type === type) as Extract<BundleLine, { type: T }>[]
}

/** An agent with calls, checkpoints between them, and an entry after the last. */
async function agentWithHistory(owner?: Owner): Promise<Agent> {
  const agent = owner ? await newAgent(owner) : await newAgentWith(`${upstream.origin}/ok`)
  if (owner)
    await done(
      call(
        'registerTool',
        { agentId: agent.id, name: 'tool', kind: 'http', url: `${upstream.origin}/ok` },
        { bearer: owner.bearer },
      ),
    )
  for (let i = 0; i < 2; i++) {
    await done(invoke(agent, { args: { i, text: 'ü\u2028"' } }))
    await done(admin('checkpoint', { agentId: agent.id }, agent.owner))
  }
  await failed(invoke(agent, { name: 'nothing' }), 'tool_not_found')
  return agent
}

async function auditorOf(owner: Owner): Promise<Owner> {
  const auditor = await newOwner()
  await db().doc(`orgs/${owner.uid}/members/${auditor.uid}`).set({ role: 'auditor' })
  return auditor
}

/**
 * The place to resume an export that broke off within `text`, and the part to keep: up to the last entry, or else the
 * last `chain` line.
 */
function breakOff(text: string): { kept: string; resume: ResumeAt } | undefined {
  const complete = text.slice(0, text.lastIndexOf('\n') + 1)
  const lines = complete === '' ? [] : linesOf(complete)
  const at = lines.findLastIndex(({ type }) => type === 'entry' || type === 'chain')
  const chains = ofType(lines, 'chain')
  const chain = chains.at(-1)
  const last = lines[at]
  if (!chain || !last) return undefined
  const kept = complete
    .split('\n')
    .slice(0, at + 1)
    .map((line) => `${line}\n`)
    .join('')
  const seq = last.type === 'entry' ? last.entry.seq : -1
  const before = chains.slice(0, -1)
  return {
    kept,
    resume: {
      log: chain.log,
      size: chain.size,
      seq,
      chains: before.length,
      entries: before.reduce((sum, { size }) => sum + size, 0),
    },
  }
}

describe("an agent's bundle", () => {
  it('is what Firestore holds, in order, and verifies', async () => {
    const agent = await agentWithHistory()
    const log = `agents/${agent.id}`
    const { vkey } = await done<{ vkey: string }>(admin('checkpoint', { agentId: agent.id }, agent.owner))
    const lines = linesOf(await exported({ agentId: agent.id }, agent.owner))
    const entries = await entriesOf(parts, log)
    const order = ['bundle', 'key', 'chain', 'checkpoint', 'entry', 'usage', 'end']
    expect([...new Set(lines.map(({ type }) => type))].filter((type) => type !== 'opening')).toEqual(order)
    expect(ofType(lines, 'bundle')).toEqual([
      { type: 'bundle', v: 1, project: stack().project, scope: log, openings: true },
    ])
    expect(ofType(lines, 'chain')).toEqual([
      {
        type: 'chain',
        log,
        orgId: agent.owner.uid,
        origin: `${stack().project}/${log}`,
        size: entries.length,
        head: hashEntry(entries.at(-1)!),
      },
    ])
    expect(ofType(lines, 'entry').map(({ entry }) => entry)).toEqual(entries)
    expect(ofType(lines, 'end')).toEqual([{ type: 'end', chains: 1, entries: entries.length }])

    const key = got(parseVerifierKey(vkey))
    expect(ofType(lines, 'key')).toEqual([
      {
        type: 'key',
        name: expect.stringContaining('/cryptoKeyVersions/1') as unknown,
        publicKey: Buffer.from(key.publicKey).toString('base64'),
      },
    ])
    const checkpoints = ofType(lines, 'checkpoint')
    expect(checkpoints.map(({ size }) => size)).toEqual([4, 6, 7])
    for (const { note } of checkpoints) got(await verifyCheckpoint(note, { origin: key.name, logKeys: [key] }))

    const intents = entries.filter(({ action }) => action === 'tool.invoke.intent')
    const openings = ofType(lines, 'opening')
    expect(openings.map(({ call: id, args }) => ({ id, args: JSON.parse(args) as unknown }))).toEqual(
      intents.map(({ call: id }, i) => ({ id, args: { i, text: 'ü\u2028"' } })),
    )
    expect(openings.map(commit)).toEqual(intents.map(({ meta }) => meta['argsCommit']))
    for (const { call: id } of openings) {
      const [intent, opening] = [
        lines.findIndex((line) => line.type === 'entry' && line.entry.call === id),
        lines.findIndex((line) => line.type === 'opening' && line.call === id),
      ]
      expect(opening).toBeGreaterThan(intent)
    }
    expect(ofType(lines, 'usage')).toMatchObject([{ log, invoked: 2, credited: 0 }])
  })

  it('has no openings for an auditor', async () => {
    const agent = await agentWithHistory()
    const auditor = await auditorOf(agent.owner)
    const [theirs, owners] = [
      await exported({ agentId: agent.id }, auditor),
      await exported({ agentId: agent.id }, agent.owner),
    ]
    const without = linesOf(owners).filter(({ type }) => type !== 'opening' && type !== 'bundle')
    expect(linesOf(theirs).slice(1)).toEqual(without)
    expect(ofType(linesOf(theirs), 'bundle')).toMatchObject([{ openings: false }])
    const { seq } = ofType(linesOf(theirs), 'entry')
      .map(({ entry }) => entry)
      .find(({ action }) => action === 'tool.invoke.intent')!
    await failed(admin('getOpening', { agentId: agent.id, seq }, auditor), 'agent_not_found')
  })

  it('is resumed behind any line, and is the same then', async () => {
    const agent = await agentWithHistory()
    const whole = await exported({ agentId: agent.id }, agent.owner)
    // Later entries are not in a bundle that has begun.
    await done(invoke(agent))
    await done(admin('checkpoint', { agentId: agent.id }, agent.owner))
    const ends = [...whole.matchAll(/\n/g)].map(({ index }) => index)
    for (const end of ends.slice(0, -1)) {
      const broken = breakOff(whole.slice(0, end + 10))
      if (!broken) continue
      const rest = await exported({ agentId: agent.id, resume: broken.resume }, agent.owner)
      expect(broken.kept + rest).toBe(whole)
    }
    expect(breakOff(whole.slice(0, ends[2]! + 1))?.resume.seq).toBe(-1)
  })
})

describe("an organization's bundle", () => {
  it("has its own chain and then the agents' by name, each once, and is resumed behind any line", async () => {
    const owner = await newOwner()
    const agents = [await agentWithHistory(owner), await newAgent(owner), await agentWithHistory(owner)]
    const orgId = owner.uid
    await done(admin('checkpoint', { orgId }, owner))
    const text = await exported({ orgId }, owner)
    const lines = linesOf(text)
    const chains: ChainLine[] = ofType(lines, 'chain')
    expect(chains.map(({ log }) => log)).toEqual([`orgs/${orgId}`, ...agents.map(({ id }) => `agents/${id}`).sort()])
    for (const { log, size } of chains) {
      const entries = await entriesOf(parts, log)
      expect(size).toBe(entries.length)
      expect(
        ofType(lines, 'entry')
          .map(({ entry }) => entry)
          .filter((entry) => entry.log === log),
      ).toEqual(entries)
    }
    expect(ofType(lines, 'end')).toEqual([
      { type: 'end', chains: 4, entries: chains.reduce((sum, { size }) => sum + size, 0) },
    ])

    // At two of three lines, so that the shortest chain (two lines) is broken off too.
    const breaks = [...text.matchAll(/\n/g)]
      .filter((_, i) => i % 3 !== 0)
      .flatMap(({ index }) => breakOff(text.slice(0, index + 1)) ?? [])
    expect(new Set(breaks.map(({ resume }) => resume.log))).toEqual(new Set(chains.map(({ log }) => log)))
    for (const { kept, resume } of breaks) expect(kept + (await exported({ orgId, resume }, owner))).toBe(text)

    // Chains that have begun keep their pinned length; the organization's chain is not repeated.
    await done(invoke(agents[0]!))
    await done(admin('checkpoint', { orgId }, owner))
    await newAgent(owner)
    for (const { kept, resume } of breaks) {
      const resumed = linesOf(kept + (await exported({ orgId, resume }, owner)))
      const found: ChainLine[] = ofType(resumed, 'chain')
      expect(found.slice(0, resume.chains! + 1)).toEqual(chains.slice(0, resume.chains! + 1))
      const agentLogs = found.slice(1).map(({ log }) => log)
      expect(agentLogs).toEqual([...new Set(agentLogs)].sort())
      expect(agentLogs).not.toContain(`orgs/${orgId}`)
      expect(ofType(resumed, 'end')).toEqual([
        { type: 'end', chains: found.length, entries: ofType(resumed, 'entry').length },
      ])
    }
  })

  it('is for its owner and auditors', async () => {
    const agent = await agentWithHistory()
    const orgId = agent.owner.uid
    const auditor = await auditorOf(agent.owner)
    expect(ofType(linesOf(await exported({ orgId }, auditor)), 'opening')).toEqual([])
    expect(ofType(linesOf(await exported({ orgId }, agent.owner)), 'opening')).toHaveLength(2)
    const stranger = await newOwner()
    await failed(call('exportAudit', { orgId }, { bearer: stranger.bearer }), 'org_not_found')
    await failed(call('exportAudit', { agentId: agent.id }, { bearer: stranger.bearer }), 'agent_not_found')
    await failed(call('exportAudit', { agentId: agent.id }, { bearer: agent.key }), 'permission_denied')
    await failed(call('exportAudit', { agentId: agent.id }), 'unauthenticated')
    const member = await newOwner()
    await db().doc(`orgs/${orgId}/members/${member.uid}`).set({ role: 'member' })
    await failed(call('exportAudit', { orgId }, { bearer: member.bearer }), 'permission_denied')
    await failed(call('exportAudit', { agentId: agent.id }, { bearer: member.bearer }), 'agent_not_found')
  })
})

describe("a failure before the first line is a callable's", () => {
  it('a place that is not in the bundle', async () => {
    const [agent, other] = [await agentWithHistory(), await newAgent()]
    const log = `agents/${agent.id}`
    const places = [
      { log, size: 99, seq: 0 },
      { log, size: 3, seq: 3 },
      // Each of these is the end of a segment, but of no chain in the bundle.
      { log: `agents/${other.id}`, size: 1, seq: 0 },
      { log: `orgs/${agent.owner.uid}`, size: 1, seq: 0 },
      { log: 'agents', size: 1, seq: 0 },
      { log: `${log}/audit/0000000000000000`, size: 1, seq: 0 },
    ]
    for (const resume of places)
      expect(
        (
          await failed(
            call('exportAudit', { agentId: agent.id, resume }, { bearer: agent.owner.bearer }),
            'invalid_argument',
          )
        ).details,
      ).toMatchObject({ field: 'resume' })
    await failed(
      call(
        'exportAudit',
        { orgId: agent.owner.uid, resume: { log: `agents/${other.id}`, size: 1, seq: 0 } },
        { bearer: agent.owner.bearer },
      ),
      'invalid_argument',
    )
  })

  it('and what is no request', async () => {
    const { bearer } = await newOwner()
    for (const data of [
      {},
      { agentId: 'a', orgId: 'b' },
      { agentId: 'a', resume: {} },
      { agentId: 'a', more: 1 },
      null,
    ]) {
      await failed(call('exportAudit', data, { bearer }), 'invalid_argument')
    }
    await failed(call('exportAudit', {}, { bearer, method: 'GET' }), 'method_not_allowed')
    await failed(call('exportAudit', {}, { bearer, raw: '{' }), 'invalid_json')
  })
})

describe('a long chain', () => {
  async function collect(lines: AsyncGenerator<string, void>): Promise<string> {
    let text = ''
    for await (const piece of lines) text += piece
    return text
  }

  it('is exported whole, in pieces, whatever the sizes of its segments', async () => {
    const chain = newChain()
    await fill(parts, chain, ...Array.from({ length: 70 }, (_, i) => 1 + (i % 5)), 256, 256, 3)
    await checkpointed(parts, chain, 100)
    const text = await collect(got(await bundle(parts, { ...chain, openings: true }, undefined)))
    const entries = ofType(linesOf(text), 'entry').map(({ entry }) => entry)
    expect(entries).toEqual(await entriesOf(parts, chain.log))
  })

  it('whose reader goes in the middle leaves the function serving', async () => {
    const agent = await newAgent()
    const chain = { log: `agents/${agent.id}`, orgId: agent.owner.uid }
    await fill(parts, chain, ...Array.from({ length: 40 }, () => 256))
    const gone = new AbortController()
    const response = await fetch(`${stack().baseUrl}/exportAudit`, {
      method: 'POST',
      headers: { authorization: `Bearer ${agent.owner.bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify({ data: { agentId: agent.id } }),
      signal: gone.signal,
    })
    await response.body!.getReader().read()
    gone.abort()
    expect(ofType(linesOf(await exported({ agentId: agent.id }, agent.owner)), 'end')).toEqual([
      { type: 'end', chains: 1, entries: 40 * 256 + 1 },
    ])
  })
})

describe('usage', () => {
  async function usageLines(log: string, pinned: Awaited<ReturnType<typeof pinChain>>): Promise<BundleLine[]> {
    const pieces: string[] = []
    for await (const piece of chainLines(parts, pinned, false, pinned.size - 1)) pieces.push(piece)
    expect(log).toBe(pinned.log)
    return linesOf(pieces.join(''))
  }

  it('that has moved on since the export began is given as it was', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    const chain = { log: `agents/${agent.id}`, orgId: agent.owner.uid }
    await done(invoke(agent))
    const pinned = await pinChain(parts, chain)
    const then = await usageLines(chain.log, pinned)
    expect(then).toMatchObject([{ type: 'usage', invoked: 1, credited: 0 }])
    await done(invoke(agent))
    await failed(invoke(agent, { name: 'nothing' }), 'tool_not_found')
    expect(await usageLines(chain.log, pinned)).toEqual(then)
    expect(await usageLines(chain.log, await pinChain(parts, chain))).toMatchObject([{ type: 'usage', invoked: 2 }])
  })

  it('of each month is as the last exported segment says, of months that came later is left out', async () => {
    const chain = newChain()
    const spendAt = async (time: string): Promise<void> => {
      const append = createLedger(createLedgerStore(rpc()), () => Date.parse(time))
      const call = randomUUID()
      const draft: Draft = { action: 'tool.invoke.intent', actor: 'agent:x', target: 'x', call, meta: {} }
      got(await append(chain.log, chain.orgId, { drafts: [draft], charge: { ownerUid: chain.orgId } }))
    }
    for (const day of ['01-10', '01-31', '02-01']) await spendAt(`2020-${day}T12:00:00Z`)
    const pinned = await pinChain(parts, chain)
    for (const day of ['02-02', '03-01']) await spendAt(`2020-${day}T12:00:00Z`)
    expect(await usageLines(chain.log, pinned)).toEqual([
      { type: 'usage', log: chain.log, month: '2020-01', invoked: 2, credited: 0 },
      { type: 'usage', log: chain.log, month: '2020-02', invoked: 1, credited: 0 },
    ])
  })
})

describe('erasure', () => {
  it('removes an opening once, records it, and everything else stays', async () => {
    const agent = await agentWithHistory()
    const before = linesOf(await exported({ agentId: agent.id }, agent.owner))
    const [first, second] = ofType(before, 'entry')
      .map(({ entry }) => entry)
      .filter(({ action }) => action === 'tool.invoke.intent') as [Entry, Entry]
    const opening = await done<{ salt: string; args: string }>(
      admin('getOpening', { agentId: agent.id, seq: first.seq }, agent.owner),
    )
    expect(commit(opening)).toBe(first.meta['argsCommit'])

    const { call: id, receipt } = await done<{ call: string; receipt: { seq: number } }>(
      admin('redact', { agentId: agent.id, seq: first.seq, reason: 'asked for' }, agent.owner),
    )
    expect(id).toBe(first.call)
    await failed(admin('redact', { agentId: agent.id, seq: first.seq }, agent.owner), 'opening_not_found')
    await failed(admin('getOpening', { agentId: agent.id, seq: first.seq }, agent.owner), 'opening_not_found')

    const after = linesOf(await exported({ agentId: agent.id }, agent.owner))
    const entries = ofType(after, 'entry').map(({ entry }) => entry)
    expect(entries.slice(0, -1)).toEqual(ofType(before, 'entry').map(({ entry }) => entry))
    expect(entries.at(-1)).toMatchObject({
      seq: receipt.seq,
      action: 'redaction',
      actor: `user:${agent.owner.uid}`,
      target: first.call,
      call: '',
      meta: { reason: 'asked for' },
    })
    expect(ofType(after, 'opening').map((line) => line.call)).toEqual([second.call])
    expect(JSON.stringify(after)).not.toContain(opening.salt)
  })

  it('is for those who manage, of what is there', async () => {
    const agent = await agentWithHistory()
    const auditor = await auditorOf(agent.owner)
    await failed(admin('redact', { agentId: agent.id, seq: 2 }, auditor), 'agent_not_found')
    await failed(admin('redact', { agentId: agent.id, seq: 2 }, await newOwner()), 'agent_not_found')
    await failed(admin('redact', { agentId: agent.id, seq: 0 }, agent.owner), 'opening_not_found')
    await failed(admin('redact', { agentId: agent.id, seq: 999 }, agent.owner), 'receipt_not_found')
    await failed(admin('redact', { agentId: agent.id, seq: 2, reason: 'a\nb' }, agent.owner), 'invalid_argument')
    expect(ofType(linesOf(await exported({ agentId: agent.id }, agent.owner)), 'opening')).toHaveLength(2)
  })

  it('of one opening by several at once is one redaction', async () => {
    const agent = await agentWithHistory()
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => admin('redact', { agentId: agent.id, seq: 2 }, agent.owner)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404])
    expect((await entriesOf(parts, `agents/${agent.id}`)).filter(({ action }) => action === 'redaction')).toHaveLength(
      1,
    )
  })

  it('during an export breaks it off, and it cannot be resumed: the redaction would be missing', async () => {
    const agent = await agentWithHistory()
    const scope = { log: `agents/${agent.id}`, orgId: agent.owner.uid, openings: true }
    const lines = got(await bundle(parts, scope, undefined))
    await lines.next()
    const chain = linesOf((await lines.next()).value!)[0] as ChainLine
    await done(admin('redact', { agentId: agent.id, seq: 2 }, agent.owner))
    await expect(
      (async () => {
        for await (const _ of lines);
      })(),
    ).rejects.toThrow('was erased while it was exported')
    const resume = { log: chain.log, size: chain.size, seq: -1 }
    await failed(call('exportAudit', { agentId: agent.id, resume }, { bearer: agent.owner.bearer }), 'conflict')
    expect(ofType(linesOf(await exported({ agentId: agent.id }, agent.owner)), 'end')).toHaveLength(1)
  })
})
