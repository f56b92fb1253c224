import { describe, expect, test } from 'vitest'
import type { BundleLine } from '@vitrine/core/bundle'
import { utf8 } from '@vitrine/core/bytes'
import { bundleLines, bundleText, checkpointDraft, createSigner, createTestChain, ORG, rootOf, type TestChain } from './fixture.ts'
import { NO_PROGRESS } from './progress.ts'
import { buildReport, type Report } from './report.ts'
import { verifyBundle, type VerifyInput } from './verify.ts'

const SIGNER = createSigner('operator')
const T0 = Date.UTC(2026, 9, 31, 23, 59, 0)
const MINUTE = 60_000

function world(): { agent: TestChain; other: TestChain; org: TestChain } {
  const agent = createTestChain('agents/agt_1', SIGNER)
  agent.append(T0, { action: 'tool.register', actor: 'user:u1', target: 'search', call: '', meta: { kind: 'http' } })
  agent.intent(T0, 'c1', { q: 'one' })
  agent.outcome(T0 + 10, 'c1')
  agent.intent(T0 + 20, 'c2', { q: 'two', mail: 'a@example.org' })
  agent.intent(T0 + 21, 'c3', { q: 'three' })
  agent.outcome(T0 + 2 * MINUTE, 'c3', true)
  agent.checkpoint()
  agent.reconcile(T0 + 5 * MINUTE, 'c2')
  agent.redact(T0 + 6 * MINUTE, 'c2')
  agent.checkpoint()
  agent.intent(T0 + 7 * MINUTE, 'c4', { q: 'four' })
  const other = createTestChain('agents/agt_2', SIGNER)
  const org = createTestChain(`orgs/${ORG}`, SIGNER)
  org.append(T0, checkpointDraft(agent.log, 6, rootOf(agent.entries().slice(0, 6))))
  org.checkpoint()
  return { agent, other, org }
}

async function verify(lines: readonly BundleLine[] | string, input: Partial<VerifyInput> = {}): Promise<Report> {
  const text = typeof lines === 'string' ? lines : bundleText(lines)
  const held = input.held ?? { pins: [], proofs: [], receipts: [] }
  async function* chunks() {
    yield utf8(text)
  }
  const verified = await verifyBundle({ publicKeys: [], witnesses: [], progress: NO_PROGRESS, ...input, chunks: chunks(), held })
  return buildReport(verified, { source: 'test', pinned: (input.publicKeys ?? []).length > 0, held })
}

describe('a good bundle', () => {
  test('holds', async () => {
    const { agent, other, org } = world()
    const report = await verify(bundleLines(`orgs/${ORG}`, [...agent.lines(true), ...other.lines(true), ...org.lines(true)], [SIGNER]))
    expect(report.findings.list).toEqual([])
    expect(report.result).toBe('holds')
  })
})
