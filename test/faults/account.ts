import type { Firestore } from 'firebase-admin/firestore'
import { expect } from 'vitest'
import type { Answer } from '../../scripts/stack/rpc.ts'
import { checkChain, hashOf, type Checked } from '../e2e/chain.ts'
import type { Hit, Upstream } from '../e2e/upstream.ts'
import { admin, db, done, invoke, type Agent } from '../e2e/world.ts'

/** Numbered calls, so that what callers were told, what arrived at the tool and what is on record can be compared. */
export interface Numbered {
  number: number
  /** Undefined if the connection broke before an answer. */
  answer: Answer | undefined
}

export interface Receipt {
  log: string
  seq: number
  hash: string
  pending?: true
}

let last = 0

/** Makes this many calls of the agent's tool at once. */
export function callMany(agent: Agent, count: number, baseUrl: string): Promise<Numbered[]> {
  return Promise.all(Array.from({ length: count }, () => callNumbered(agent, baseUrl)))
}

export async function callNumbered(agent: Agent, baseUrl: string): Promise<Numbered> {
  const number = ++last
  return { number, answer: await invoke(agent, { args: { number } }, { baseUrl }).catch(() => undefined) }
}

export function passed({ answer }: Numbered): boolean {
  return answer?.status === 200
}

/** The code of the answer's error, `ok`, or `gone` if there was no answer. */
export function codeOf({ answer }: Numbered): string {
  const body = answer?.body as { error?: { details: { code: string } } } | undefined
  return answer ? (body?.error?.details.code ?? 'ok') : 'gone'
}

export function receiptOf({ answer }: Numbered): Receipt {
  return (answer!.body as { result: { receipt: Receipt } }).result.receipt
}

/** The numbers that arrived at the tool. */
export function arrived(hits: readonly Hit[]): number[] {
  return hits.map(({ body }) => (JSON.parse(body) as { number: number }).number)
}

/** Reconciles the chain until nothing on it is open; returns how many calls that closed. */
export async function reconcile(agent: Agent, baseUrl: string): Promise<number> {
  let closed = 0
  await expect
    .poll(async () => {
      closed += await reconcileOnce(agent, baseUrl)
      return (await checkChain(`agents/${agent.id}`)).open
    })
    .toEqual([])
  return closed
}

export async function reconcileOnce(agent: Agent, baseUrl: string): Promise<number> {
  return (await done<{ closed: number }>(admin('reconcile', { agentId: agent.id }, agent.owner, baseUrl))).closed
}

/**
 * Compares all accounts: no call arrived twice or without an intent, every outcome that a caller was told is on record,
 * and the chain and everything that belongs to it are sound.
 */
export async function account(
  agent: Agent,
  upstream: Upstream,
  calls: readonly Numbered[],
  store: Firestore = db(),
): Promise<Checked> {
  const log = `agents/${agent.id}`
  const hits = arrived(upstream.hits.filter(({ url }) => url.includes(agent.id)))
  expect(new Set(hits).size).toBe(hits.length)
  const checked = await checkChain(log, store)
  const intended = new Set(await intendedNumbers(log, store))
  expect(hits.filter((number) => !intended.has(number))).toEqual([])
  for (const call of calls.filter(passed)) {
    const { log: at, seq, hash, pending } = receiptOf(call)
    expect([at, hash, checked.entries[seq]!.action]).toEqual([
      log,
      hashOf(checked.entries[seq]!),
      pending ? 'tool.invoke.intent' : 'tool.invoke',
    ])
  }
  return checked
}

async function intendedNumbers(log: string, store: Firestore): Promise<number[]> {
  const documents = (await store.collection(`${log}/openings`).get()).docs
  const openings = documents.flatMap((doc) => doc.data()['openings'] as string[])
  return openings.map((line) => (JSON.parse((JSON.parse(line) as { args: string }).args) as { number: number }).number)
}
