import { ok, type Result } from '@vitrine/core/result'
import type { Credential } from '../kms/credential.ts'
import type { Gated } from './gate.ts'
import { definitionOf, type Pinned } from '../manifest/pinned.ts'
import type { InvokeParts } from './parts.ts'
import { policyPaths } from '../store/policy-documents.ts'
import { paths, type ToolDoc } from '../store/documents.ts'
import { workerVerdict, type WorkerTool } from '../policies/find.ts'
import type { Target } from './target.ts'

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
  { manifests, verdicts }: Pick<InvokeParts, 'manifests' | 'verdicts'>,
  agentId: string,
  tool: Callee,
  command: string | undefined,
): Promise<Result<void>> {
  return tool.kind === 'worker'
    ? workerVerdict(manifests, tool, command ?? '')
    : verdicts.stored(agentId, tool, command)
}

/** Checks the arguments against the input schema of the command, as pinned; what has no schema is not checked. Errors: those of CheckArgs. */
export async function argsVerdict(
  { checkArgs }: Pick<InvokeParts, 'checkArgs'>,
  { manifestHash }: Callee,
  pinned: Pinned | null,
  { command, args }: Target,
): Promise<Result<void>> {
  const schema = command === undefined ? undefined : definitionOf(pinned, command)?.['inputSchema']
  return schema === undefined ? ok(undefined) : checkArgs(schema, `${manifestHash} ${command}`, args)
}

/** What the server itself says now. A worker watches over its own servers. */
export async function liveVerdict(
  { verdicts }: Pick<InvokeParts, 'verdicts'>,
  agentId: string,
  tool: Callee,
  command: string | undefined,
  credential: Credential,
  signal: AbortSignal,
): Promise<Result<void>> {
  return tool.kind === 'mcp' ? verdicts.live(agentId, tool, command, credential, signal) : ok(undefined)
}
