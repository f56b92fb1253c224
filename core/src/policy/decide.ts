import { splitCallName } from '../names.ts'
import { fail, ok, type Failure } from '../result.ts'

/** Decides whether an agent may use a tool. */

/** The parts of an agent that a decision depends on. */
export interface Subject {
  disabled: boolean
  /** The tools that the agent may see: whole tools (`server`) and single commands (`server__command`); null for all. */
  allowedTools: readonly string[] | null
}

/** How much of a tool the agent asks for: one command, the whole tool, or any part of it. */
export type Part = { command: string } | 'whole' | 'any'

/** Why an invocation was refused. Readers of the chain see it; the agent does not. */
export type DenyReason = 'agent_disabled' | 'not_registered' | 'not_allowed' | 'tool_disabled'

export type Decision<T> = { ok: true; value: T } | { ok: false; reason: DenyReason; error: Failure }

/**
 * May this agent use this part of this tool? Visibility is checked first, so a tool that the agent may not see looks
 * like one that does not exist. Whatever is not allowed is denied.
 */
export function decide<T extends { enabled: boolean }>(
  agent: Subject,
  name: string,
  part: Part,
  tool: T | undefined,
): Decision<T> {
  if (agent.disabled) return deny('agent_disabled', fail('agent_disabled').error)
  if (!isVisible(agent, name, part)) return deny('not_allowed')
  if (!tool) return deny('not_registered')
  if (tool.enabled !== true) return deny('tool_disabled')
  return ok(tool)
}

/** Whether `allowedTools` includes this part of the tool. */
export function isVisible({ allowedTools }: Pick<Subject, 'allowedTools'>, name: string, part: Part): boolean {
  if (allowedTools === null || allowedTools.includes(name)) return true
  if (part === 'whole') return false
  return allowedTools
    .map(splitCallName)
    .some(
      (granted) =>
        granted.name === name && granted.command !== undefined && (part === 'any' || granted.command === part.command),
    )
}

function deny(reason: DenyReason, error: Failure = fail('tool_not_found').error): Decision<never> {
  return { ok: false, reason, error }
}
