import type { Answer } from '@vitrine/core/api/contract'
import { parseJson } from '@vitrine/core/json/parse'
import { isObject, type JsonObject } from '@vitrine/core/json/value'
import { decide, isVisible } from '@vitrine/core/policy/decide'
import { parseRequest } from '../../http/parse.ts'
import { fail, ok, type Result } from '@vitrine/core/result'
import { authenticateAgent } from '../../auth/agent.ts'
import { readAgentKey } from '../../auth/bearer.ts'
import { answered } from '../../store/answered.ts'
import type { Call } from '../../http/callable.ts'
import type { Parts } from '../../parts.ts'
import type { Inlined } from '../../manifest/lists.ts'
import { paths, type AgentDoc, type ToolDoc } from '../../store/documents.ts'
import { collection, select } from '../../store/path.ts'
import { policyTools } from '../../policies/agent-tools.ts'

/** The ciphertext is not even read. */
const FIELDS = [
  'name',
  'kind',
  'url',
  'urlIsPublic',
  'manifest',
  'enabled',
] as const satisfies readonly (keyof ToolDoc)[]

export type ListedTool = Answer<'listTools'>['tools'][number]

/** listTools: the tools this agent may invoke right now. */
export async function listTools(parts: Parts, call: Call): Promise<Result<Answer<'listTools'>>> {
  const key = readAgentKey(call.authorization)
  if (!key.ok) return key
  const request = parseRequest('listTools', call.data)
  if (!request.ok) return request
  const [agentDoc] = await parts.load([paths.agent(key.value.id)])
  const agent = authenticateAgent(key.value, agentDoc)
  if (!agent.ok) return agent
  if (agent.value.disabled) return fail('agent_disabled')
  const [found, ofPolicies] = await Promise.all([
    answered(select(collection(parts.db, paths.tools(agent.value.id)), ...FIELDS).get()),
    policyTools(parts, agent.value),
  ])
  const registered = await Promise.all(
    found.docs.map((doc) => parts.lists.inlined(doc.ref.path, { manifestPending: null, ...doc.data() })),
  )
  // A registration shadows a policy's server of the same name, even while it is disabled, as in invokeTool.
  const names = new Set(registered.map(({ name }) => name))
  const visible = ({ name, kind, enabled = true }: { name: string; kind: ListedTool['kind']; enabled?: boolean }) =>
    decide(agent.value, name, kind === 'http' ? 'whole' : 'any', { enabled }).ok
  return ok({
    tools: [
      ...registered.filter(visible).map((tool) => toListed({ ...tool, url: shownUrl(tool) })),
      ...ofPolicies.filter((tool) => !names.has(tool.name) && visible(tool)),
    ].map((tool) => withVisibleCommands(agent.value, tool)),
  })
}

/** Nobody has looked for secrets in the URLs of registrations from before `urlIsPublic`. */
function shownUrl({ url, urlIsPublic }: Partial<Pick<ToolDoc, 'urlIsPublic'>> & Pick<ToolDoc, 'url'>): string {
  return urlIsPublic === undefined || urlIsPublic === null ? new URL(url).origin : url
}

/** The tool, with only the commands that the agent may call. */
function withVisibleCommands(agent: AgentDoc, tool: ListedTool): ListedTool {
  const { name, manifest } = tool
  if (manifest === null || !Array.isArray(manifest['tools']) || isVisible(agent, name, 'whole')) return tool
  const tools = manifest['tools'].filter(
    (command) =>
      isObject(command) && typeof command['name'] === 'string' && isVisible(agent, name, { command: command['name'] }),
  )
  return { ...tool, manifest: { ...manifest, tools } }
}

export function toListed({ name, kind, url, manifest }: Pick<Inlined<ToolDoc>, 'name' | 'kind' | 'url' | 'manifest'>) {
  return { name, kind, url, manifest: manifest === null ? null : (parseJson(manifest) as JsonObject) }
}
