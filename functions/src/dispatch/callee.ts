import { ok, type Result } from '@vitrine/core/result'
import type { Credential } from '../credential.ts'
import { manifestVerdict, standingVerdict } from '../manifest/verdict.ts'
import type { Parts } from '../parts.ts'
import { policyPaths } from '../policies/documents.ts'
import { paths, type ToolDoc } from '../store/documents.ts'
import { workerVerdict, type WorkerTool } from '../worker/route.ts'

/** What a name led to: a registration of the agent, or a server of one of its tool policies. */
export type Callee = ToolDoc | WorkerTool

/** Names the tool and its version: connections, circuit and slots belong to it and end with it. */
export function identityOf(agentId: string, tool: Callee): string {
  const path = tool.kind === 'worker' ? policyPaths.server(tool.route.orgId, tool.route.policyId, tool.name) : paths.tool(agentId, tool.name)
  return `${path}@${tool.version}`
}

/** What the stored documents say against a command, before anything is charged. */
export async function storedVerdict(parts: Parts, agentId: string, tool: Callee, command: string | undefined): Promise<Result<void>> {
  return tool.kind === 'worker' ? workerVerdict(tool, command ?? '') : standingVerdict(parts, agentId, tool, command)
}

/** What the server itself says now. A worker watches over its own servers. */
export async function liveVerdict(parts: Parts, agentId: string, tool: Callee, command: string | undefined, credential: Credential, signal: AbortSignal): Promise<Result<void>> {
  return tool.kind === 'mcp' ? manifestVerdict(parts, agentId, tool, command, credential, signal) : ok(undefined)
}
