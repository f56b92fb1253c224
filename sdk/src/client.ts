import { createSwitches, type AgentSwitches } from './agents.ts'
import { createReading, type AuditReading } from './audit.ts'
import type { Call } from './call.ts'
import { createStreaming, type ToolStreaming } from './invoke-stream.ts'
import { createMethods } from './methods.ts'
import type { ParseJson } from './numbers.ts'
import type { Methods } from './operations.ts'
import type { Stream } from './stream.ts'

/** What the contract names, and what is written by hand on top of it. */
export type Client = Methods & { tools: ToolStreaming; agents: AgentSwitches; audit: AuditReading }

export function createClient(call: Call, stream: Stream, parseJson: ParseJson): Client {
  const methods = createMethods(call)
  const { tools, agents, audit } = methods
  return {
    ...methods,
    tools: { ...tools, ...createStreaming(stream, parseJson) },
    agents: { ...agents, ...createSwitches(agents) },
    audit: { ...audit, ...createReading(call, stream, audit) },
  }
}
