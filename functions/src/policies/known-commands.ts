import { isServerCommand } from '@vitrine/core/names'
import { isCommandEnabled, type ServerConfig } from '@vitrine/core/policy/server-config'
import type { Inlined } from '../manifest/lists.ts'
import { pinnedOf } from '../manifest/pinned.ts'
import { policyPaths, type ServerDoc } from '../store/policy-documents.ts'
import { paths, toolFrom } from '../store/documents.ts'
import type { PolicyParts } from './parts.ts'
import { recordFor } from './records.ts'
import { routeFor } from './routes.ts'

/**
 * The commands of a tool that an agent may be granted by name: those of the pinned list. None for an HTTP tool, null if
 * no list is known, undefined if the agent has no such tool. A registration shadows a policy's server, as in
 * invokeTool.
 */
export async function knownCommands(
  { load, lists }: Pick<PolicyParts, 'load' | 'lists'>,
  agent: { id: string; orgId: string; teams?: readonly string[] },
  slug: string,
): Promise<readonly string[] | null | undefined> {
  const { id, orgId, teams = [] } = agent
  const [toolDoc, routes] = await load([paths.tool(id, slug), policyPaths.routes(orgId, slug)])
  const tool = toolFrom(toolDoc)
  if (tool) return tool.kind === 'http' ? [] : namesOf(await lists.inlined(paths.tool(id, slug), tool))
  const route = routeFor(routes?.routes ?? [], teams)
  if (!route) return undefined
  const at = policyPaths.server(orgId, route.policyId, slug)
  const [policy, doc] = await load([policyPaths.policy(orgId, route.policyId), at])
  const server = policy?.servers.find((candidate) => candidate.slug === slug)
  return server && commandsOf(server, doc && (await lists.inlined(at, doc)))
}

/** A server that is switched off keeps its commands. */
function commandsOf(server: ServerConfig, stored: Inlined<ServerDoc> | undefined): readonly string[] | null {
  const record = recordFor(server, stored)
  const pinned = record ? namesOf(record) : null
  return pinned?.filter((command) => isCommandEnabled({ ...server, enabled: true }, command)) ?? server.commands
}

function namesOf(pins: Parameters<typeof pinnedOf>[0]): string[] | null {
  const pinned = pinnedOf(pins)
  return pinned && [...pinned.commands.keys()].filter(isServerCommand)
}
