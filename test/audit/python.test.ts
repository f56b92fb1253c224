import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from '../../scripts/stack/paths.ts'
import { admin, done, failed, invoke, newAgentWith, type Agent } from '../e2e/world.ts'
import { startUpstream } from '../e2e/upstream.ts'
import { stack } from '../stack/stack.ts'

/** An auditor's check of a real export in another language, which shares no code with the writer. */

const hasPython = spawnSync('python3', ['--version']).status === 0

describe.runIf(hasPython)(
  hasPython ? 'examples/check-chain.py' : 'examples/check-chain.py: skipped, no python3',
  () => {
    let dir: string
    let agent: Agent
    let bundle: string

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'vitrine-python-'))
      const upstream = await startUpstream()
      agent = await newAgentWith(`${upstream.origin}/ok`)
      for (const text of ['one', 'zwei ü\u2028"', '三']) {
        await done(invoke(agent, { args: { text } }))
        await done(admin('checkpoint', { agentId: agent.id }, agent.owner))
      }
      await failed(invoke(agent, { name: 'nothing' }), 'tool_not_found')
      const response = await fetch(`${stack().baseUrl}/exportAudit`, {
        method: 'POST',
        headers: { authorization: `Bearer ${agent.owner.bearer}`, 'content-type': 'application/json' },
        body: JSON.stringify({ data: { orgId: agent.owner.uid } }),
      })
      bundle = await response.text()
      await upstream.close()
    })
    afterAll(() => rm(dir, { recursive: true }))

    async function check(text: string): Promise<{ status: number | null; stdout: string }> {
      const file = join(dir, 'bundle.jsonl')
      await writeFile(file, text)
      return spawnSync('python3', [join(ROOT, 'examples/check-chain.py'), file], { encoding: 'utf8' })
    }

    it('[audit.bytes] confirms a whole export by its bytes alone', async () => {
      const { status, stdout } = await check(bundle)
      expect(stdout).toMatch(new RegExp(`^agents/${agent.id}: \\d+ entries, root `, 'm'))
      expect(status).toBe(0)
    })

    const lines = (): string[] => bundle.split('\n')
    const without = (start: string): string => {
      const all = lines()
      all.splice(
        all.findLastIndex((line) => line.startsWith(start)),
        1,
      )
      return all.join('\n')
    }
    const LINK = /^FAULT entry \d+ of agents\/\w+: (link|number|root): /m

    it.each<[string, () => string, RegExp]>([
      ['another outcome', () => bundle.replace('"status":200', '"status":500'), LINK],
      [
        'white space in an entry',
        () => bundle.replace('{"entry":{"action":"tool.invoke"', '{"entry":{ "action":"tool.invoke"'),
        LINK,
      ],
      ['an entry less', () => without('{"entry":{"action":"tool.invoke"'), LINK],
      ['the last entry less', () => without('{"entry":{"action":"tool.deny"'), /^FAULT size of /m],
      ['other arguments', () => bundle.replace('zwei', 'zwo_'), /^FAULT opening of /m],
      ['another root', () => bundle.replace(/(note":"[^"]*?\\n\d+\\n)./, '$1_'), /^FAULT /m],
      ['no end', () => without('{"chains"'), /^FAULT the bundle is not complete/m],
    ])('finds %s', async (_, tampered, fault) => {
      expect(tampered()).not.toBe(bundle)
      const { status, stdout } = await check(tampered())
      expect(stdout).toMatch(fault)
      expect(status).toBe(1)
    })
  },
)
