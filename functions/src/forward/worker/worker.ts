import { LRUCache } from 'lru-cache'
import type { Dispatcher } from 'undici'
import { TIMEOUT_MS_MAX } from '@vitrine/core/limits'
import type { CallBody, Sealed, ServerState } from '@vitrine/core/policy/worker-protocol'
import { abortOf } from '../../egress/abort.ts'
import type { Forward, ForwardRequest } from '../forward.ts'
import { ABSENT, offerTo, type Offered } from './offer.ts'
import type { SignCall } from './token.ts'

/** A worker that serves the policy and was seen lately. */
export interface LiveWorker {
  instanceId: string
  url: string
  /** Of the server that is meant; undefined before the worker has said anything of it. */
  state: ServerState | undefined
}

/** A server of a tool policy, and the workers that serve it. */
export interface ServedTool {
  policyId: string
  slug: string
  workers: LiveWorker[]
  /** The user that the call is made for. */
  user?: string
  /** Values of the user's variables, as ciphertext. */
  userSecrets?: Record<string, Sealed>
}

/** One call as the worker's token and body tell it. */
export interface WorkerCall {
  route: ServedTool
  agentId: string
  /** Id of the invocation. */
  call: string
  /** Hash of the command's pinned definition, if the server is pinned. */
  pinned?: string | undefined
  /** In milliseconds since 1970. */
  deadlineMs: number
}

/** Workers that one try of a call is offered to. */
const WORKERS_TRIED_MAX = 3
/** One that could not be connected to is asked last for so long: it may still be registered, and is never busy. */
const ABSENT_MS = 10_000
/** Addresses remembered as absent. */
const ABSENT_MAX = 1_000

/** A server that is up first; one that failed is tried again by its worker, so it comes last but comes. */
const PREFERENCE: Record<string, number> = { ready: 0, starting: 1, unhealthy: 2, stopped: 1, failed: 3 }

/**
 * Calls tools of a policy at one of its workers. Calls are spread over those that live; one that cannot be connected to, or that says that it
 * did not begin, has the call offered to another. The token is of this try alone: a worker makes no call twice.
 */
export function workerForward({
  dispatcher,
  sign,
}: {
  dispatcher: Dispatcher
  sign: SignCall
}): (call: WorkerCall) => Forward {
  const underWay = new Map<string, number>()
  const absent = new LRUCache<string, true>({ max: ABSENT_MAX, ttl: ABSENT_MS })

  function note({ url }: LiveWorker, { isAbsent }: Offered): void {
    if (isAbsent) absent.set(url, true)
    else absent.delete(url)
  }

  async function offered(
    worker: LiveWorker,
    call: WorkerCall,
    body: CallBody,
    request: ForwardRequest,
  ): Promise<Offered> {
    underWay.set(worker.url, (underWay.get(worker.url) ?? 0) + 1)
    try {
      const token = await sign({
        policyId: call.route.policyId,
        instanceId: worker.instanceId,
        agentId: call.agentId,
        body,
      })
      return await offerTo(dispatcher, worker, token, body, request)
    } catch {
      // The key that signs could not be published.
      return { elsewhere: false, outcome: { answered: false, status: 0, code: 'unavailable', sent: false } }
    } finally {
      const left = underWay.get(worker.url)! - 1
      if (left === 0) underWay.delete(worker.url)
      else underWay.set(worker.url, left)
    }
  }

  return (call) => {
    let tries = 0
    return async (request) => {
      const { route } = call
      let last = ABSENT
      for (const worker of inOrder(route.workers, {
        underWay,
        isAbsent: ({ url }) => absent.has(url),
      }).slice(0, WORKERS_TRIED_MAX)) {
        if (request.signal.aborted) return { answered: false, status: 0, code: abortOf(request.signal), sent: false }
        const tried = await offered(worker, call, bodyOf(call, request, ++tries), request)
        note(worker, tried)
        // What a worker said tells more than that another is not there.
        if (!tried.isAbsent) last = tried.outcome
        if (!tried.elsewhere) break
      }
      return last
    }
  }
}

interface Seen {
  underWay: ReadonlyMap<string, number>
  isAbsent(worker: LiveWorker): boolean
}

/** Those that are there first, of these the ready ones, of these the least busy, of these by chance. */
function inOrder(workers: readonly LiveWorker[], { underWay, isAbsent }: Seen): LiveWorker[] {
  return workers
    .map((worker) => ({
      worker,
      absence: Number(isAbsent(worker)),
      preference: PREFERENCE[worker.state ?? 'starting']!,
      busy: underWay.get(worker.url) ?? 0,
      chance: Math.random(),
    }))
    .sort((a, b) => a.absence - b.absence || a.preference - b.preference || a.busy - b.busy || a.chance - b.chance)
    .map(({ worker }) => worker)
}

function bodyOf(
  { route, call, pinned, deadlineMs }: WorkerCall,
  { command = '', args, emit }: ForwardRequest,
  nth: number,
): CallBody {
  const { slug, user, userSecrets } = route
  return {
    call: nth === 1 ? call : `${call}.${nth}`,
    server: slug,
    command,
    ...(pinned !== undefined && { pinned }),
    arguments: args,
    timeoutMs: Math.min(TIMEOUT_MS_MAX, Math.max(1, deadlineMs - Date.now())),
    ...(emit && { stream: true }),
    ...(user !== undefined && { user }),
    ...(userSecrets && { userSecrets }),
  }
}
