import type { Request } from '@vitrine/core/api/contract'
import type { Principal } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'
import type { JsonObject } from '@vitrine/core/json/value'
import { fail, ok } from '@vitrine/core/result'
import { manageableAgent, orgWithRole } from '../../auth/owner.ts'
import { breakerState } from '../../store/breaker-state.ts'
import { type ToolsByName, diffTools } from '../../manifest/diff.ts'
import { dropParts, partsThen, type Inlined } from '../../manifest/lists.ts'
import { pendingOf, pinnedOf } from '../../manifest/pinned.ts'
import { describeUnchecked } from '../../manifest/unchecked.ts'
import { type ToolDoc, TOOL_DEFAULTS, logs, paths, toolFrom } from '../../store/documents.ts'
import { collection, read, select } from '../../store/path.ts'
import { retryConflicts } from '../../store/retry.ts'
import { toListed } from '../agent/list-tools.ts'
import type { OwnerOperation } from './operation.ts'
import { warningsOf } from './tool-warnings.ts'

/** The fields that are read; the ciphertext is not. */
const FIELDS = [
  'name',
  'kind',
  'url',
  'urlIsPublic',
  'manifest',
  'method',
  'auth',
  'headers',
  'enabled',
  'credentialAccess',
  'credential',
  'responseBytesMax',
  'concurrencyMax',
  'idempotent',
  'redact',
  'manifestPolicy',
  'argsPolicy',
  'manifestMaxAgeMs',
  'manifestHash',
  'manifestPendingHash',
  'manifestProblem',
  'breaker',
] as const satisfies readonly (keyof ToolDoc)[]

/** Disabled tools are listed too. Shows whether there is a credential, never the credential. */
export const listTools: OwnerOperation<'listTools'> = async (parts, by, request) => {
  const managed = await manageableAgent(parts.db, by, request.agentId)
  if (!managed.ok) return managed
  const found = await select(collection(parts.db, paths.tools(request.agentId)), ...FIELDS).get()
  return ok({
    tools: await Promise.all(
      found.docs.map(async (doc) =>
        describe(await parts.lists.inlined(doc.ref.path, { ...TOOL_DEFAULTS, ...doc.data(), manifestPending: null })),
      ),
    ),
  })
}

async function describe(tool: Pick<Inlined<ToolDoc>, (typeof FIELDS)[number]>) {
  const { kind, urlIsPublic, method, auth, headers, enabled, credentialAccess, credential, breaker } = tool
  const warnings = warningsOf(tool)
  const {
    responseBytesMax,
    concurrencyMax,
    idempotent,
    redact,
    manifestPolicy,
    argsPolicy,
    manifestMaxAgeMs,
    manifestHash,
    manifestPendingHash,
    manifestProblem,
  } = tool
  return {
    ...toListed(tool),
    urlIsPublic,
    ...(warnings.length > 0 && { warnings }),
    ...(await describeUnchecked(pinnedOf(tool))),
    ...(kind === 'http'
      ? { method }
      : { manifestPolicy, argsPolicy, manifestMaxAgeMs, manifestHash, manifestPendingHash, manifestProblem }),
    auth,
    headers,
    enabled,
    credentialAccess,
    hasCredential: credential !== null,
    responseBytesMax,
    concurrencyMax,
    idempotent,
    redact,
    breaker: breakerState(breaker, Date.now()),
  }
}

/** A disabled tool's document remains, so that the audit trail still makes sense. */
export const setToolEnabled: OwnerOperation<'setToolEnabled'> = async (parts, by, request) => {
  const { agentId, name, enabled } = request
  const managed = await manageableAgent(parts.db, by, agentId)
  if (!managed.ok) return managed

  return retryConflicts(async () => {
    const tool = await parts.db.doc(paths.tool(agentId, name)).get()
    if (!tool.exists) return fail('tool_not_found')
    const appended = await parts.append(logs.agent(agentId), managed.value.agent.orgId, {
      drafts: [
        { action: enabled ? 'tool.enable' : 'tool.disable', actor: by.actor, target: name, call: '', meta: by.via },
      ],
      writes: () => [
        { op: 'update', path: tool.ref.path, data: { enabled, updatedAt: new Date() }, version: tool.updateTime },
      ],
    })
    return appended.ok ? ok({ name, enabled }) : appended
  })
}

/**
 * Switches getToolCredential on or off, for one tool or for a whole organization (owners and admins only). Both must
 * allow it.
 */
export const setCredentialAccess: OwnerOperation<'setCredentialAccess'> = async (parts, by, request) => {
  const target = request
  const found = await locate(parts, by, target)
  if (!found.ok) return found
  const { log, orgId, path, action, name } = found.value

  return retryConflicts(async () => {
    const doc = await parts.db.doc(path).get()
    if (!doc.exists) return fail('tool_not_found')
    const appended = await parts.append(log, orgId, {
      drafts: [
        { action, actor: by.actor, target: name, call: '', meta: { ...by.via, credentialAccess: target.allowed } },
      ],
      writes: () => [
        {
          op: 'update',
          path,
          data: { credentialAccess: target.allowed, updatedAt: new Date() },
          version: doc.updateTime,
        },
      ],
    })
    return appended.ok ? ok(target) : appended
  })
}

async function locate(parts: Parts, by: Principal, target: Request<'admin/setCredentialAccess'>) {
  if ('orgId' in target) {
    const { orgId } = target
    const org = await orgWithRole(parts.db, by, orgId, ['owner', 'admin'])
    return org.ok
      ? ok({ log: logs.org(orgId), orgId, path: paths.org(orgId), action: 'policy.update' as const, name: orgId })
      : org
  }
  const { agentId, name } = target
  const managed = await manageableAgent(parts.db, by, agentId)
  if (!managed.ok) return managed
  return ok({
    log: logs.agent(agentId),
    orgId: managed.value.agent.orgId,
    path: paths.tool(agentId, name),
    action: 'tool.update' as const,
    name,
  })
}

/** How the server's list differs from the pinned one, as whole tool objects; empty if nothing waits for approval. */
export const getManifestDiff: OwnerOperation<'getManifestDiff'> = async (parts, by, request) => {
  const { agentId, name } = request
  const managed = await manageableAgent(parts.db, by, agentId)
  if (!managed.ok) return managed
  const at = paths.tool(agentId, name)
  const doc = toolFrom((await read(parts.db, at)).data)
  if (!doc) return fail('tool_not_found')
  const tool = await parts.lists.inlined(at, doc)
  const before: ToolsByName = pinnedOf(tool)?.commands ?? new Map()
  const after = pendingOf(tool)?.commands ?? before
  const { added, removed, changed } = diffTools(before, after)
  return ok({
    name,
    policy: tool.manifestPolicy,
    pinnedHash: tool.manifestHash,
    liveHash: tool.manifestPendingHash,
    problem: tool.manifestProblem,
    added: added.flatMap((command) => after.get(command)!),
    removed: removed.flatMap((command) => before.get(command)!),
    changed: changed.map((command) => ({
      name: command,
      before: shown(before.get(command)!),
      after: shown(after.get(command)!),
    })),
  })
}

/** A list may contain a name more than once; then all its definitions are shown. */
function shown(definitions: JsonObject[]): JsonObject | JsonObject[] {
  return definitions.length === 1 ? definitions[0]! : definitions
}

/** Pins the pending list only if it has this hash, so an owner approves what they saw and nothing newer. */
export const approveManifest: OwnerOperation<'approveManifest'> = async (parts, by, request) => {
  const { agentId, name, manifestHash } = request
  const managed = await manageableAgent(parts.db, by, agentId)
  if (!managed.ok) return managed

  return retryConflicts(async () => {
    const path = paths.tool(agentId, name)
    const { data, version } = await read(parts.db, path)
    const tool = toolFrom(data)
    if (!tool) return fail('tool_not_found')
    if (tool.manifestPending === null || tool.manifestPendingHash !== manifestHash) return fail('manifest_not_found')
    const before = await partsThen(parts.db, path, tool)
    const pins = { manifest: tool.manifestPending, manifestHash, manifestPending: null, manifestPendingHash: null }
    const appended = await parts.append(logs.agent(agentId), managed.value.agent.orgId, {
      drafts: [
        {
          action: 'tool.update',
          actor: by.actor,
          target: name,
          call: '',
          meta: { ...by.via, manifest: 'approved', manifestHash },
        },
      ],
      writes: () => [
        {
          op: 'update',
          path,
          data: { ...pins, updatedAt: new Date() },
          version,
        },
      ],
    })
    if (!appended.ok) return appended
    await dropParts(before, pins)
    return ok({ name, manifestHash })
  })
}
