import { createHash, randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { createLedgerStore } from '../../functions/src/ledger/firestore-store.ts'
import { createLedger, type Append } from '../../functions/src/ledger/ledger.ts'
import type { Item } from '../../functions/src/ledger/plan.ts'
import { checkChain, hashOf } from '../e2e/chain.ts'
import { db, rpc } from '../e2e/world.ts'

/** Two writers, as in two processes, append to the same chains of the real emulator at the same time. */

const writers = [1, 2].map(() => createLedger(createLedgerStore(rpc())))

function entryOf(target: string): Item {
  return { drafts: [{ action: 'agent.enable', actor: 'user:u', target, call: '', meta: {} }] }
}

/** An intent with the commitment that its opening opens, as the chain's checker requires. */
function intentOf(ownerUid: string): Item {
  const call = randomUUID()
  const opening = { salt: '00'.repeat(32), args: '{}' }
  const argsCommit = createHash('sha256')
    .update(Buffer.from([2]))
    .update(Buffer.from(opening.salt, 'hex'))
    .update(opening.args)
    .digest('hex')
  return {
    drafts: [{ action: 'tool.invoke.intent', actor: 'agent:a', target: 'tool', call, meta: { argsCommit } }],
    charge: { ownerUid },
    opening: { call, opening },
  }
}

function newLog(): string {
  return `agents/w_${randomUUID()}`
}

it('[ledger.two-processes] leaves no gap, no duplicate and no fork on a chain that two write to under load', async () => {
  const log = newLog()
  // Forty callers that each append one item after the other: at least ten segments, and both writers are always busy.
  const results = (
    await Promise.all(
      Array.from({ length: 40 }, async (_, caller) => {
        const own: Awaited<ReturnType<Append>>[] = []
        for (let i = 0; i < 10; i++) own.push(await writers[caller % 2]!(log, 'org', entryOf(`${caller}.${i}`), 25_000))
        return own
      }),
    )
  ).flat()
  const { entries, segments } = await checkChain(log)
  expect([entries.length, new Set(entries.map(({ target }) => target)).size]).toEqual([400, 400])
  expect(segments).toBeGreaterThanOrEqual(10)
  for (const result of results) {
    if (!result.ok) throw new Error(result.error.code)
    const [receipt] = result.value.receipts
    expect(receipt).toEqual({ log, seq: receipt!.seq, hash: hashOf(entries[receipt!.seq]!) })
  }
  expect(new Set(results.map((result) => result.ok && result.value.receipts[0]!.seq)).size).toBe(400)
})

it('[quota.concurrent] spends a quota and never more, from four chains by two writers', async () => {
  const ownerUid = randomUUID()
  const month = new Date().toISOString().slice(0, 7)
  await db().doc(`owners/${ownerUid}/quota/${month}`).set({ limit: 60, leased: 0 })
  const logs = Array.from({ length: 4 }, newLog)
  const results = await Promise.all(
    Array.from({ length: 200 }, (_, i) => writers[i % 2]!(logs[i % 4]!, 'org', intentOf(ownerUid), 25_000)),
  )
  const spent = results.filter(({ ok }) => ok).length
  expect(results.filter((result) => !result.ok && result.error.code === 'quota_exceeded')).toHaveLength(200 - spent)
  const quota = (await db().doc(`owners/${ownerUid}/quota/${month}`).get()).data()!
  const totals = await Promise.all(logs.map(async (log) => (await checkChain(log)).usage))
  expect(totals.reduce((sum, { invoked }) => sum + invoked, 0)).toBe(spent)
  expect(totals.reduce((sum, { leased }) => sum + leased, 0)).toBe(quota['leased'])
  expect(quota['leased']).toBeLessThanOrEqual(60)
  expect(spent).toBeLessThanOrEqual(60)
  expect(spent).toBeGreaterThan(45)
})
