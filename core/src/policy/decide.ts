import { fail, ok, type Failure } from '../result.ts'

/** What a decision looks at. */
export interface Subject {
  disabled: boolean
  /** Names the agent may see; null for all that are registered for it. */
  allowedTools: readonly string[] | null
}

/** Why an invocation was refused: public to whoever may read the chain, not to the agent. */
export type DenyReason = 'agent_disabled' | 'not_registered' | 'not_allowed' | 'tool_disabled'

export type Decision<T> = { ok: true; value: T } | { ok: false; reason: DenyReason; error: Failure }

/**
 * May this agent use this tool? Visibility comes first, every fall-through denies, and a tool that the agent may not
 * see answers like one that does not exist.
 */
export function decide<T extends { enabled: boolean }>(agent: Subject, name: string, tool: T | undefined): Decision<T> {
  if (agent.disabled) return deny('agent_disabled', fail('agent_disabled').error)
  if (agent.allowedTools !== null && !agent.allowedTools.includes(name)) return deny('not_allowed')
  if (!tool) return deny('not_registered')
  if (tool.enabled !== true) return deny('tool_disabled')
  return ok(tool)
}

function deny(reason: DenyReason, error: Failure = fail('tool_not_found').error): Decision<never> {
  return { ok: false, reason, error }
}
