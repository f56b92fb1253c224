import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { manageableAgent } from '../auth/owner.ts'
import { id, parse } from '../http/parse.ts'
import { toListed } from '../list-tools.ts'
import { paths, type ToolDoc } from '../store/documents.ts'
import type { Operation } from './operations.ts'

const FIELDS = ['name', 'kind', 'url', 'manifest', 'method', 'auth', 'headers', 'enabled', 'credentialAccess', 'kmsKey'] as const

/** `{agentId}` → `{tools}`, disabled ones too, with their settings and whether there is a credential; never the credential. */
export const listTools: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id }), data)
  if (!request.ok) return request
  const managed = await manageableAgent(parts.db, by, request.value.agentId)
  if (!managed.ok) return managed
  const found = await parts.db.collection(`${paths.agent(request.value.agentId)}/tools`).select(...FIELDS).get()
  return ok({ tools: found.docs.map((doc) => describe(doc.data() as Pick<ToolDoc, (typeof FIELDS)[number]>)) })
}

function describe(tool: Pick<ToolDoc, (typeof FIELDS)[number]>) {
  const { method, auth, headers, enabled, credentialAccess, kmsKey } = tool
  return { ...toListed(tool), ...(tool.kind === 'http' && { method }), auth, headers, enabled, credentialAccess, hasCredential: kmsKey !== null }
}
