import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { toListed } from '../agent/list-tools.ts'
import { breakerState } from '../../store/breaker-state.ts'
import { paths, toolFrom, type ToolDoc } from '../../store/documents.ts'
import type { Operation } from './operation.ts'

/** The ciphertext is not even read. */
const FIELDS = [
  'name',
  'kind',
  'url',
  'manifest',
  'method',
  'auth',
  'headers',
  'enabled',
  'credentialAccess',
  'kmsKey',
  'responseBytesMax',
  'concurrencyMax',
  'idempotent',
  'redact',
  'manifestPolicy',
  'manifestMaxAgeMs',
  'manifestHash',
  'manifestPendingHash',
  'breaker',
] as const satisfies readonly (keyof ToolDoc)[]

/** `{agentId}` → `{tools}`, disabled ones too, with their settings and whether there is a credential; never the credential. */
export const listTools: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id }), data)
  if (!request.ok) return request
  const managed = await manageableAgent(parts.db, by, request.value.agentId)
  if (!managed.ok) return managed
  const found = await parts.db
    .collection(`${paths.agent(request.value.agentId)}/tools`)
    .select(...FIELDS)
    .get()
  return ok({ tools: found.docs.map((doc) => describe(toolFrom(doc.data())!)) })
}

function describe(tool: Pick<ToolDoc, (typeof FIELDS)[number]>) {
  const { kind, method, auth, headers, enabled, credentialAccess, kmsKey, breaker } = tool
  const {
    responseBytesMax,
    concurrencyMax,
    idempotent,
    redact,
    manifestPolicy,
    manifestMaxAgeMs,
    manifestHash,
    manifestPendingHash,
  } = tool
  return {
    ...toListed(tool),
    ...(kind === 'http' ? { method } : { manifestPolicy, manifestMaxAgeMs, manifestHash, manifestPendingHash }),
    auth,
    headers,
    enabled,
    credentialAccess,
    hasCredential: kmsKey !== null,
    responseBytesMax,
    concurrencyMax,
    idempotent,
    redact,
    breaker: breakerState(breaker, Date.now()),
  }
}
