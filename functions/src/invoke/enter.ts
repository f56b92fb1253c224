import { randomUUID } from 'node:crypto'
import { ok } from '@vitrine/core/result'
import { policyPaths } from '../store/policy-documents.ts'
import { paths } from '../store/documents.ts'
import type { Callee, Chosen } from './choose.ts'
import type { Gated, Visit } from './gate.ts'
import type { InvokeParts } from './parts.ts'
import type { Step } from './refuse.ts'

/** The end of step 4: a call enters if its tool's circuit, its workers and the calls under way let it. */

export interface Entered extends Chosen {
  /** Id of the invocation, which intent and outcome share. */
  call: string
  /** Names the tool and its version: connections, circuit and slots belong to it and end with it. */
  identity: string
  visit: Visit
}

/** Who enters must leave. Errors: those of Gate.enter. */
export function enter({ gate }: InvokeParts, chosen: Chosen): Step<Entered> {
  const { agent, tool } = chosen
  const identity = identityOf(agent.id, tool)
  const visit = gate.enter(agent.id, gatedOf(identity, tool), Date.now())
  return visit.ok ? ok({ ...chosen, call: randomUUID(), identity, visit: visit.value }) : visit
}

function identityOf(agentId: string, tool: Callee): string {
  if (tool.kind !== 'worker') return `${paths.tool(agentId, tool.name)}@${tool.version}`
  const { orgId, policyId, slug, since } = tool.route
  return `${policyPaths.server(orgId, policyId, slug)}@${since.revision}.${since.connected}`
}

/** The tool as the gate has to know it. */
function gatedOf(identity: string, tool: Callee): Gated {
  const { breaker, concurrencyMax } = tool
  if (tool.kind !== 'worker') return { identity, breaker, concurrencyMax }
  const { orgId, policyId, workers, since } = tool.route
  return {
    identity,
    breaker,
    concurrencyMax,
    workers: {
      identity: `${policyPaths.workers(orgId, policyId)}@${since.connected}`,
      live: workers.length,
      failed: tool.failed,
    },
  }
}
