import { ok, type Result } from '@vitrine/core/result'
import { authenticateAgent, type Agent } from '../auth/agent.ts'
import { claimedUid } from '../auth/claimed-uid.ts'
import { byIdToken } from '../auth/owner.ts'
import type { Inlined } from '../manifest/lists.ts'
import { paths, registrationFrom, type Registration } from '../store/documents.ts'
import { loadAhead, type Load } from '../store/load.ts'
import { keyPath, type Guard } from './idempotency.ts'
import type { InvokeParts } from './parts.ts'
import { readingsOf, type InvokeRequest } from './request.ts'

/** Steps 2 and 3 of an invocation: reads what the call needs, and finds out who calls. */

export interface Caller {
  /** With the reading of the address that the agent has a registration for. */
  request: InvokeRequest
  agent: Agent
  /** The user that the call is made for. */
  user: string | undefined
  /** The agent's registration of the name. */
  registered: Inlined<Registration> | undefined
  /** The idempotency key of the call, and whether an earlier call has used it. */
  key: Pick<Guard, 'path' | 'isUsed'> | undefined
  /** Has the documents that tool policies will probably be asked for. */
  load: Load
}

/**
 * One round trip: the loads of one tick go together. A long list of tools takes another, once in an instance. A disabled agent gets through, so that its attempts are recorded.
 * Errors: invalid_key for the agent's key or the user's token, unavailable.
 */
export async function loadCaller(parts: InvokeParts, request: InvokeRequest): Promise<Result<Caller>> {
  const {
    key: { id: agentId },
    address: { name },
    idempotencyKey,
    userToken,
  } = request
  const usedPath = idempotencyKey === undefined ? undefined : keyPath(agentId, name, idempotencyKey)
  // Documents of the claimed user are looked at only once the token that names them is verified.
  const guess = parts.routes.guess(agentId, name, claimedUid(userToken))
  const readings = readingsOf(request.address)
  const [[agentDoc], documents, [used], load, user] = await Promise.all([
    parts.load([paths.agent(agentId)]),
    Promise.all(readings.map(({ name }) => parts.load([paths.tool(agentId, name), paths.credential(agentId, name)]))),
    usedPath === undefined ? [] : parts.load([usedPath]),
    loadAhead(parts.load, guess),
    userOf(parts, userToken),
  ])
  const agent = authenticateAgent(request.key, agentDoc)
  if (!agent.ok) return agent
  if (!user.ok) return user
  const meant = Math.max(
    documents.findIndex(([toolDoc]) => toolDoc !== undefined),
    0,
  )
  const registered = registrationFrom(...documents[meant]!)
  if (!registered.ok) return registered
  return ok({
    request: registered.value === undefined ? request : { ...request, address: readings[meant]! },
    agent: agent.value,
    user: user.value,
    registered:
      registered.value && (await parts.lists.inlined(paths.tool(agentId, registered.value.name), registered.value)),
    key: usedPath === undefined ? undefined : { path: usedPath, isUsed: used !== undefined },
    load,
  })
}

/** The user that an ID token names. Errors: invalid_key, unavailable. */
async function userOf({ auth }: InvokeParts, userToken: string | undefined): Promise<Result<string | undefined>> {
  if (userToken === undefined) return ok(undefined)
  const user = await byIdToken(auth, userToken)
  return user.ok ? ok(user.value.uid) : user
}
