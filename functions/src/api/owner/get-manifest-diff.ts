import * as z from 'zod'
import type { JsonObject } from '@vitrine/core/json/value'
import { fail, ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse, toolName } from '../../http/parse.ts'
import { diffTools, type ToolsByName } from '../../manifest/diff.ts'
import { pendingOf, pinnedOf } from '../../manifest/pinned.ts'
import { paths, toolFrom } from '../../store/documents.ts'
import type { Operation } from './operation.ts'

/**
 * `{agentId, name}` → `{name, policy, pinnedHash, liveHash, added, removed, changed: [{name, before, after}]}`: what a server lists
 * otherwise than it was pinned, whole tool objects; empty, and `liveHash` null, when nothing waits for approval.
 * Errors: agent_not_found, tool_not_found.
 */
export const getManifestDiff: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id, name: toolName }), data)
  if (!request.ok) return request
  const { agentId, name } = request.value
  const managed = await manageableAgent(parts.db, by, agentId)
  if (!managed.ok) return managed
  const tool = toolFrom((await parts.db.doc(paths.tool(agentId, name)).get()).data())
  if (!tool) return fail('tool_not_found')
  const before: ToolsByName = pinnedOf(tool)?.commands ?? new Map()
  const after = pendingOf(tool)?.commands ?? before
  const { added, removed, changed } = diffTools(before, after)
  return ok({
    name,
    policy: tool.manifestPolicy,
    pinnedHash: tool.manifestHash,
    liveHash: tool.manifestPendingHash,
    added: added.flatMap((command) => after.get(command)!),
    removed: removed.flatMap((command) => before.get(command)!),
    changed: changed.map((command) => ({
      name: command,
      before: shown(before.get(command)!),
      after: shown(after.get(command)!),
    })),
  })
}

/** A list may have a name twice; then all of them are shown. */
function shown(definitions: JsonObject[]): JsonObject | JsonObject[] {
  return definitions.length === 1 ? definitions[0]! : definitions
}
