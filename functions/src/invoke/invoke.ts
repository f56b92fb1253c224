import type { Result } from '@vitrine/core/result'
import type { Call } from '../http/callable.ts'
import { lapTimer } from '../lib/laps.ts'
import { admit } from './admit.ts'
import { loadCaller } from './caller.ts'
import { choose } from './choose.ts'
import { enter } from './enter.ts'
import { forward, scrub } from './forward.ts'
import { replay } from './idempotency.ts'
import type { InvokeParts } from './parts.ts'
import { refuse, type Refusal } from './refuse.ts'
import { commandMeta, readRequest } from './request.ts'
import { settle, type Invoked } from './settle.ts'

/**
 * invokeTool: the dispatch of one tool call (docs/design.md section 3).
 *
 * 1. parse the request
 * 2. authenticate the agent and 3. load what is needed, in one round trip
 * 4. decide: the tool and command, the pin, the arguments, a repeated idempotency key, the circuit, the slots. A refusal of a known agent is
 *    recorded, and nothing has been charged by then
 * 5. admit: quota and the durable intent in one commit, while KMS decrypts and an MCP server is asked whether its tools are the pinned ones
 * 6. forward, with the credential injected and the deadline running, again where that can do no harm
 * 7. scrub the answer
 * 8. settle: the outcome, the unit's credit where due, the circuit breaker, in one commit
 * 9. reply
 */
export async function invoke(parts: InvokeParts, call: Call): Promise<Result<Invoked>> {
  const lap = lapTimer()
  const request = readRequest(call)
  if (!request.ok) return request
  lap('parse')

  const caller = await loadCaller(parts, request.value)
  if (!caller.ok) return caller
  lap('load')

  const { agent } = caller.value
  const about = { agent, target: caller.value.request.address.name, meta: commandMeta(caller.value.request) }
  const refused = (refusal: Refusal) => refuse(parts, about, refusal)

  const chosen = await choose(parts, caller.value)
  if (!chosen.ok) return refused(chosen.error)
  lap('choose')

  const { guard } = chosen.value
  const repeated = guard?.isUsed && (await replay(parts, agent.id, guard, call.signal))
  if (repeated) return repeated

  const entered = enter(parts, chosen.value)
  if (!entered.ok) return refused(entered.error)
  lap('enter')

  try {
    const admitted = await admit(parts, entered.value)
    if (!admitted.ok) {
      // Another call may have used the key since it was looked up.
      const isTaken = guard && admitted.error.error.code === 'conflict'
      return (isTaken && (await replay(parts, agent.id, guard, call.signal))) || (await refused(admitted.error))
    }
    lap('admit')

    const forwarded = await forward(parts, admitted.value)
    lap('forward')

    const ending = scrub(admitted.value, forwarded)
    lap('scrub')

    const invoked = await settle(parts, admitted.value, ending)
    lap('settle')
    return invoked
  } finally {
    // Does nothing for a call that was settled.
    entered.value.visit.leave('nothing', Date.now())
  }
}
