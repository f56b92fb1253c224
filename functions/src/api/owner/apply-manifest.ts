import * as z from 'zod'
import { parseManifest, type ManifestTool } from '@vitrine/core/yaml/agent-manifest'
import { utf8 } from '@vitrine/core/bytes'
import { AGENT_MANIFEST_BYTES_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { sha256Hex } from '@vitrine/core/keys/sha256-node'
import { describeProblems, type Problem } from '@vitrine/core/yaml/problems'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { policyPaths, type ToolRoutesDoc } from '../../store/policy-documents.ts'
import { routeFor } from '../../policies/routes.ts'
import { logs, paths, type AgentDoc } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operations.ts'

const FILE = 'agent.yaml'
const SIZE_MESSAGE = `The manifest is larger than ${AGENT_MANIFEST_BYTES_MAX / 1024} KiB.`

const schema = z.strictObject({
  agentId: id,
  manifest: z
    .string()
    .refine((text) => Buffer.byteLength(text) <= AGENT_MANIFEST_BYTES_MAX, SIZE_MESSAGE)
    .refine((text) => text.isWellFormed(), 'Holds a lone surrogate.'),
})

/** What a manifest asks for, and where each of it stands. */
interface Asked {
  tools: ManifestTool[]
  /** Names of tools, each once, in the order of the file. */
  slugs: string[]
  config: string
  at: (slug: string) => { line: number; column: number }
}

/**
 * `{agentId, manifest}` → `{agentId, tools}`: the agent may use the tools that its agent.yaml names, and nothing else. Each of them is a
 * server of a policy that is for this agent, or a tool registered for it. What the file says beside is kept for when calls are decided.
 * Errors: agent_not_found; invalid_argument and tool_not_found, both with a line `agent.yaml:{line}:{column} …` for every problem and these as `details.problems`.
 */
export const applyManifest: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const { agentId, manifest } = request.value
  return retryConflicts(async () => {
    // Who may not change the agent is told so first: reading a file costs more than looking.
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const { agent, version } = managed.value
    const asked = readManifest(manifest)
    if (!asked.ok) return asked
    const { slugs, config } = asked.value
    const found = await findAll(parts, agentId, agent, asked.value)
    if (!found.ok) return found
    const meta = { ...by.via, change: 'agent.manifest', manifest: sha256Hex(utf8(manifest)), tools: slugs.length }
    const appended = await parts.append(logs.agent(agentId), agent.orgId, {
      drafts: [{ action: 'policy.update', actor: by.actor, target: agentId, call: '', meta }],
      writes: () => [
        {
          op: 'update',
          path: paths.agent(agentId),
          data: { allowedTools: slugs, toolConfig: config, updatedAt: new Date() },
          version,
        },
      ],
    })
    return appended.ok ? ok({ agentId, tools: slugs }) : appended
  })
}

function readManifest(text: string): Result<Asked> {
  const parsed = parseManifest(text)
  if (!parsed.ok) return refused('invalid_argument', parsed.problems)
  const { value: tools, locate } = parsed
  // References to anchors may make much of little.
  const config = JSON.stringify(tools.filter(({ constraints }) => Object.keys(constraints).length > 0))
  if (Buffer.byteLength(config) > AGENT_MANIFEST_BYTES_MAX)
    return refused('invalid_argument', [{ line: 1, column: 1, message: SIZE_MESSAGE }])
  return ok({
    tools,
    config,
    slugs: [...new Set(tools.map(({ server }) => server))],
    at: (slug) => locate([tools.findIndex(({ server }) => server === slug)]),
  })
}

/** Errors: tool_not_found, naming every one that there is not. */
async function findAll(
  { load }: Pick<Parts, 'load'>,
  agentId: string,
  { orgId, teams = [] }: AgentDoc,
  { slugs, at }: Asked,
): Promise<Result<null>> {
  if (slugs.length === 0) return ok(null)
  const [registered, routes] = await Promise.all([
    load(slugs.map((slug) => paths.tool(agentId, slug))),
    load(slugs.map((slug) => policyPaths.routes(orgId, slug))),
  ])
  const unknown = slugs.filter(
    (_, i) => !registered[i] && !routeFor((routes[i] as ToolRoutesDoc | undefined)?.routes ?? [], teams),
  )
  if (unknown.length === 0) return ok(null)
  return refused(
    'tool_not_found',
    unknown.map((slug) => ({ ...at(slug), message: `There is no server or tool mcp:${slug} for this agent.` })),
  )
}

function refused(code: 'invalid_argument' | 'tool_not_found', problems: Problem[]): Result<never> {
  return fail(code, describeProblems(FILE, problems), { field: 'manifest', problems })
}
