import { utf8 } from '@vitrine/core/bytes'
import { sha256Hex } from '@vitrine/core/keys/sha256-node'
import { type Result, fail, ok } from '@vitrine/core/result'
import { type ManifestTool, parseManifest } from '@vitrine/core/yaml/agent-manifest'
import { type Problem, describeProblems } from '@vitrine/core/yaml/problems'
import { manageableAgent } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'
import { knownCommands } from '../../policies/known-commands.ts'
import { type AgentDoc, logs, paths } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { OwnerOperation } from './operation.ts'

const FILE = 'agent.yaml'

/** What a manifest grants, and the position of each entry in the file. */
interface Asked {
  tools: ManifestTool[]
  at: (index: number) => { line: number; column: number }
}

/**
 * Replaces what the agent may use by what its agent.yaml names: whole tools (`server`) and single commands
 * (`server__command`). A tool is a server of one of the agent's policies or a tool registered for the agent. If the
 * tool has a pinned list, a command must be on it.
 */
export const applyManifest: OwnerOperation<'applyManifest'> = async (parts, by, request) => {
  const { agentId, manifest } = request
  return retryConflicts(async () => {
    // Check permission first: parsing a file costs more than reading a document.
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const { agent, version } = managed.value
    const asked = readManifest(manifest)
    if (!asked.ok) return asked
    const granted = await grantsOf(parts, agentId, agent, asked.value)
    if (!granted.ok) return granted
    const tools = granted.value
    const meta = { ...by.via, change: 'agent.manifest', manifest: sha256Hex(utf8(manifest)), tools: tools.length }
    const appended = await parts.append(logs.agent(agentId), agent.orgId, {
      drafts: [{ action: 'policy.update', actor: by.actor, target: agentId, call: '', meta }],
      writes: () => [
        { op: 'update', path: paths.agent(agentId), data: { allowedTools: tools, updatedAt: new Date() }, version },
      ],
    })
    return appended.ok ? ok({ agentId, tools }) : appended
  })
}

function readManifest(text: string): Result<Asked> {
  const parsed = parseManifest(text)
  return parsed.ok
    ? ok({ tools: parsed.value, at: (index) => parsed.locate([index]) })
    : refused('invalid_argument', parsed.problems)
}

/**
 * The tools and commands that the entries grant, without duplicates, in the order of the file. Errors: tool_not_found,
 * naming every missing one.
 */
async function grantsOf(
  parts: Pick<Parts, 'load' | 'lists'>,
  agentId: string,
  agent: AgentDoc,
  { tools, at }: Asked,
): Promise<Result<string[]>> {
  const servers = [...new Set(tools.map(({ server }) => server))]
  const known = new Map(
    await Promise.all(
      servers.map(async (server) => [server, await knownCommands(parts, { ...agent, id: agentId }, server)] as const),
    ),
  )
  const resolved = tools.map((tool) => grantOf(tool, known.get(tool.server)))
  const problems = resolved.flatMap((result, i) => ('problem' in result ? [{ ...at(i), message: result.problem }] : []))
  if (problems.length > 0) return refused('tool_not_found', problems)
  return ok([...new Set(resolved.flatMap((result) => ('grant' in result ? [result.grant] : [])))])
}

/** `search` means the command of that name, or else the only command whose last part it is, such as `web.search`. */
function grantOf(
  { server, name }: ManifestTool,
  commands: readonly string[] | null | undefined,
): { grant: string } | { problem: string } {
  if (commands === undefined) return { problem: `There is no server or tool mcp:${server} for this agent.` }
  if (name === undefined) return { grant: server }
  if (commands === null || commands.includes(name)) return { grant: `${server}__${name}` }
  const candidates = commands.filter((command) => command.split('.').at(-1) === name)
  const [only, ...others] = candidates
  if (only === undefined) return { problem: `mcp:${server} has no command ${name}.` }
  if (others.length > 0)
    return { problem: `${name} may be any of these commands of mcp:${server}: ${few(candidates)}.` }
  return { grant: `${server}__${only}` }
}

function few(names: readonly string[]): string {
  return [...names.slice(0, 5), ...(names.length > 5 ? ['…'] : [])].join(', ')
}

function refused(code: 'invalid_argument' | 'tool_not_found', problems: Problem[]): Result<never> {
  return fail(code, describeProblems(FILE, problems), { field: 'manifest', problems })
}
