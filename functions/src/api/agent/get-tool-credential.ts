import type { Answer } from '@vitrine/core/api/contract'
import { parseRequest } from '../../http/parse.ts'
import { decide } from '@vitrine/core/policy/decide'
import { fail, ok, type Result } from '@vitrine/core/result'
import { authenticateAgent } from '../../auth/agent.ts'
import { readAgentKey } from '../../auth/bearer.ts'
import { refuse } from '../../invoke/refuse.ts'
import type { Call } from '../../http/callable.ts'
import { describeRequest } from '../../lib/log.ts'
import type { Parts } from '../../parts.ts'
import { logs, paths, registrationFrom } from '../../store/documents.ts'

/** Distinguishes a refused credential access from a refused invocation. */
const META = { operation: 'getToolCredential' }

/**
 * getToolCredential: for tools that cannot be dispatched; invokeTool is the better way. Each access is on the chain
 * before the credential leaves. An agent restricted to some of a tool's commands gets no credential, since it would
 * open all of them.
 */
export async function getToolCredential(parts: Parts, call: Call): Promise<Result<Answer<'getToolCredential'>>> {
  const key = readAgentKey(call.authorization)
  if (!key.ok) return key
  const request = parseRequest('getToolCredential', call.data)
  if (!request.ok) return request
  const { name } = request.value
  const [agentDoc, toolDoc, credentialDoc] = await parts.load([
    paths.agent(key.value.id),
    paths.tool(key.value.id, name),
    paths.credential(key.value.id, name),
  ])
  const authenticated = authenticateAgent(key.value, agentDoc)
  if (!authenticated.ok) return authenticated
  const agent = authenticated.value
  const about = { agent, target: name, meta: META }

  if (toolDoc) describeRequest({ tool: name })
  const registered = registrationFrom(toolDoc, credentialDoc)
  if (!registered.ok) return registered
  const decision = decide(agent, name, 'whole', registered.value)
  if (!decision.ok) return refuse(parts, about, { error: decision.error, record: decision.reason })
  const tool = decision.value
  const [org] = await parts.load([paths.org(agent.orgId)])
  if (!tool.credentialAccess || org?.credentialAccess !== true) {
    const code = 'credential_access_disabled'
    return refuse(parts, about, { error: { code }, record: code })
  }
  const credential = await parts.openCredential(agent.id, tool)
  if (!credential.ok) return credential
  if (credential.value.token === null) return fail('no_credential')
  const draft = { action: 'tool.getCredential' as const, actor: `agent:${agent.id}`, target: name, call: '', meta: {} }
  const appended = await parts.append(logs.agent(agent.id), agent.orgId, { drafts: [draft] })
  return appended.ok ? ok({ token: credential.value.token }) : appended
}
