import type { Answer } from '@vitrine/core/api/contract'
import { fail, type Result } from '@vitrine/core/result'
import { authenticateAgent } from '../../auth/agent.ts'
import { readAgentKey } from '../../auth/bearer.ts'
import type { Call } from '../../http/callable.ts'
import { parseRequest } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { logs, paths } from '../../store/documents.ts'
import { readReceipt } from '../../proof/receipt.ts'

/** getReceipt: proves that an entry is on the agent's own chain. */
export async function getReceipt(parts: Parts, call: Call): Promise<Result<Answer<'getReceipt'>>> {
  const key = readAgentKey(call.authorization)
  if (!key.ok) return key
  const request = parseRequest('getReceipt', call.data)
  if (!request.ok) return request
  const [agentDoc] = await parts.load([paths.agent(key.value.id)])
  const agent = authenticateAgent(key.value, agentDoc)
  if (!agent.ok) return agent
  return agent.value.disabled
    ? fail('agent_disabled')
    : readReceipt(parts, logs.agent(agent.value.id), request.value.seq)
}
