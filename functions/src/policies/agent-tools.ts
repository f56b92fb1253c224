import { parseJson } from '@vitrine/core/json/parse'
import type { JsonObject } from '@vitrine/core/json/value'
import type { JsonValue } from '@vitrine/core/json/value'
import { isCommandEnabled } from '@vitrine/core/policy/server-config'
import { answered } from '../store/answered.ts'
import type { PolicyParts } from './parts.ts'
import { failureOf } from './live-workers.ts'
import { collection } from '../store/path.ts'
import { policyPaths, type Route } from '../store/policy-documents.ts'
import { recordFor } from './records.ts'
import { routeFor } from './routes.ts'

/** A server of a tool policy as its agents see it. */
export interface PolicyTool {
  name: string
  kind: 'worker'
  url: ''
  /** `{tools}`: the enabled commands of the approved list; null before a worker first started the server. */
  manifest: JsonObject | null
}

/** The tools that an agent has through its policies, by name: the same servers that Routes.find finds, without those that do not start. */
export async function policyTools(
  { db, load, lists }: Pick<PolicyParts, 'db' | 'load' | 'lists'>,
  agent: { orgId: string; teams?: readonly string[] },
  now = Date.now(),
): Promise<PolicyTool[]> {
  const { orgId, teams = [] } = agent
  const found = await answered(collection(db, policyPaths.policies(orgId)).get())
  const policies = new Map(found.docs.map((doc) => [doc.id, doc.data()]))
  const routes = new Map<string, Route[]>()
  for (const [policyId, policy] of policies) {
    for (const { slug } of policy.servers)
      routes.set(slug, [...(routes.get(slug) ?? []), { policyId, teams: policy.teams }])
  }
  const mine = [...routes].flatMap(([slug, of]) => {
    const policyId = routeFor(of, teams)?.policyId
    const server = policyId && policies.get(policyId)?.servers.find((candidate) => candidate.slug === slug)
    return policyId && server && server.enabled ? [{ policyId, server }] : []
  })
  if (mine.length === 0) return []
  const serving = [...new Set(mine.map(({ policyId }) => policyId))]
  const paths = mine.map(({ policyId, server }) => policyPaths.server(orgId, policyId, server.slug))
  // One round trip: the loads of one tick go together.
  const [docs, workersDocs] = await Promise.all([
    load(paths).then((stored) => Promise.all(stored.map(async (doc, i) => doc && lists.inlined(paths[i]!, doc)))),
    load(serving.map((policyId) => policyPaths.workers(orgId, policyId))),
  ])
  const workersOf = new Map(serving.map((policyId, i) => [policyId, workersDocs[i]]))
  return mine
    .flatMap(({ policyId, server }, i): PolicyTool[] => {
      if (failureOf(workersOf.get(policyId), server.slug, now)) return []
      const stored = recordFor(server, docs[i])
      const tools =
        stored &&
        (parseJson(stored.manifest) as { tools: { name?: JsonValue }[] }).tools.filter(({ name }) =>
          isCommandEnabled(server, String(name)),
        )
      return [{ name: server.slug, kind: 'worker', url: '', manifest: tools ? { tools } : null }]
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
