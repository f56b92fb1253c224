import { describe, expect, it } from 'vitest'
import { decide, type Subject } from './decide.ts'

const agent: Subject = { disabled: false, allowedTools: null }
const tool = { enabled: true, url: 'https://search.example' }

describe('decide', () => {
  it('hands out the tool that it allows', () => {
    expect(decide(agent, 'search', tool)).toEqual({ ok: true, value: tool })
    expect(decide({ ...agent, allowedTools: ['search'] }, 'search', tool)).toEqual({ ok: true, value: tool })
  })

  it.each([
    ['a disabled agent', { ...agent, disabled: true }, tool, 'agent_disabled', 'agent_disabled'],
    ['a tool that is not there', agent, undefined, 'not_registered', 'tool_not_found'],
    ['a disabled tool', agent, { ...tool, enabled: false }, 'tool_disabled', 'tool_not_found'],
    ['a tool the agent may not see', { ...agent, allowedTools: ['other'] }, tool, 'not_allowed', 'tool_not_found'],
    ['an agent that may see nothing', { ...agent, allowedTools: [] }, tool, 'not_allowed', 'tool_not_found'],
    [
      'a tool it may neither see nor find',
      { ...agent, allowedTools: ['other'] },
      undefined,
      'not_allowed',
      'tool_not_found',
    ],
  ] as const)('denies %s', (_, subject, found, reason, code) => {
    expect(decide(subject, 'search', found)).toMatchObject({ ok: false, reason, error: { code } })
  })

  it('denies whatever a malformed document holds', () => {
    for (const enabled of [undefined, null, 'true', 1])
      expect(decide(agent, 'search', { enabled } as never).ok).toBe(false)
  })

  it('answers alike for what may not be seen and what does not exist', () => {
    const answers = [
      decide(agent, 'search', undefined),
      decide(agent, 'search', { ...tool, enabled: false }),
      decide({ ...agent, allowedTools: [] }, 'search', tool),
    ].map((decision) => !decision.ok && decision.error)
    expect(new Set(answers.map((error) => JSON.stringify(error))).size).toBe(1)
  })
})
