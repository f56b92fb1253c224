import { ok, type Result } from '@vitrine/core/result'
import type { Credential } from '../kms/credential.ts'
import type { Gated } from './gate.ts'
import { manifestVerdict, standingVerdict } from '../manifest/verdict.ts'
import type { InvokeParts } from './parts.ts'
import { policyPaths } from '../store/policy-documents.ts'
import { paths, type ToolDoc } from '../store/documents.ts'
import { workerVerdict, type WorkerTool } from '../policies/find.ts'

/** What a name led to: a registration of the agent, or a server of one of its tool policies. */
export type Callee = ToolDoc | WorkerTool

/** Names the tool and its version: connections, circuit and slots belong to it and end with it. */
export function identityOf(agentId: string, tool: Callee): string {
  if (tool.kind !== 'worker') return `${paths.tool(agentId, tool.name)}@${tool.version}`
  const { orgId, policyId, slug, since } = tool.route
  return `${policyPaths.server(orgId, policyId, slug)}@${since.revision}.${since.connected}`
}

/** The tool as the gate has to know it. */
export function gatedOf(agentId: string, tool: Callee): Gated {
  const { breaker, concurrencyMax } = tool
  const gated = { identity: identityOf(agentId, tool), breaker, concurrencyMax }
  if (tool.kind !== 'worker') return gated
  const { orgId, policyId, workers, since } = tool.route
  return {
    ...gated,
    workers: { identity: `${policyPaths.workers(orgId, policyId)}@${since.connected}`, live: workers.length },
  }
}

/** What the stored documents say against a command, before anything is charged. */
export async function storedVerdict(
  parts: InvokeParts,
  agentId: string,
  tool: Callee,
  command: string | undefined,
): Promise<Result<void>> {
  return tool.kind === 'worker' ? workerVerdict(tool, command ?? '') : standingVerdict(parts, agentId, tool, command)
}

/** What the server itself says now. A worker watches over its own servers. */
export async function liveVerdict(
  parts: InvokeParts,
  agentId: string,
  tool: Callee,
  command: string | undefined,
  credential: Credential,
  signal: AbortSignal,
): Promise<Result<void>> {
  return tool.kind === 'mcp' ? manifestVerdict(parts, agentId, tool, command, credential, signal) : ok(undefined)
}
