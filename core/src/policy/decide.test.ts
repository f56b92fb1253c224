import { describe, expect, it } from 'vitest'
import { decide, isVisible, type Part, type Subject } from './decide.ts'

const agent: Subject = { disabled: false, allowedTools: null }
const tool = { enabled: true, url: 'https://search.example' }

describe('decide', () => {
  it('hands out the tool that it allows', () => {
    expect(decide(agent, 'search', 'any', tool)).toEqual({ ok: true, value: tool })
    expect(decide({ ...agent, allowedTools: ['search'] }, 'search', 'any', tool)).toEqual({ ok: true, value: tool })
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
    expect(decide(subject, 'search', 'any', found)).toMatchObject({ ok: false, reason, error: { code } })
  })

  it('denies whatever a malformed document holds', () => {
    for (const enabled of [undefined, null, 'true', 1])
      expect(decide(agent, 'search', 'any', { enabled } as never).ok).toBe(false)
  })

  it('answers alike for what may not be seen and what does not exist', () => {
    const answers = [
      decide(agent, 'search', 'any', undefined),
      decide(agent, 'search', 'any', { ...tool, enabled: false }),
      decide({ ...agent, allowedTools: [] }, 'search', 'any', tool),
      decide({ ...agent, allowedTools: ['search__read'] }, 'search', { command: 'write' }, tool),
      decide({ ...agent, allowedTools: ['search__read'] }, 'search', 'whole', tool),
    ].map((decision) => !decision.ok && decision.error)
    expect(new Set(answers.map((error) => JSON.stringify(error))).size).toBe(1)
  })
})

describe('isVisible', () => {
  const [read, write]: Part[] = [{ command: 'read' }, { command: 'write' }]
  it.each<[string[] | null, string, Part, boolean]>([
    [null, 'files', 'whole', true],
    [null, 'files', read!, true],
    [['files'], 'files', 'any', true],
    [['files'], 'files', 'whole', true],
    [['files'], 'files', read!, true],
    [['files__read'], 'files', 'any', true],
    [['files__read'], 'files', read!, true],
    [['files__read'], 'files', write!, false],
    [['files__read'], 'files', 'whole', false],
    [['files__read', 'files'], 'files', write!, true],
    [['files__read', 'files__write'], 'files', write!, true],
    [['files__read', 'files__write'], 'files', 'whole', false],
    [['files__read'], 'file', 'any', false],
    [['file__read'], 'files', read!, false],
    // As in a call's name, the first double underscore separates.
    [['files__a__b'], 'files', { command: 'a__b' }, true],
    [['files__github/list'], 'files', { command: 'github/list' }, true],
    [['files__Create CIFS Share'], 'files', { command: 'Create CIFS Share' }, true],
    [['files__Create CIFS Share'], 'files', { command: 'Create' }, false],
    [['a___b'], 'a', { command: '_b' }, true],
    [['a___b'], 'a_', { command: 'b' }, false],
    [[], 'files', 'any', false],
  ])('of %j: %s, %j is %s', (allowedTools, name, part, visible) => {
    expect(isVisible({ allowedTools }, name, part)).toBe(visible)
  })
})
