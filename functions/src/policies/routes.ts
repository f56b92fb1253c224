import type { Firestore } from 'firebase-admin/firestore'
import { fail, ok, type Result } from '@vitrine/core/result'
import { answered } from '../store/answered.ts'
import type { Write } from '../ledger/plan.ts'
import { readAll, type Path, type Read } from '../store/path.ts'
import { policyPaths, type Route, type ToolRoutesDoc } from '../store/policy-documents.ts'

/**
 * Whether one name could mean both policies: their teams overlap, or both serve the whole organization. A team's policy
 * and one for the whole organization may share a name; the team's own wins.
 */
export function overlap(a: readonly string[], b: readonly string[]): boolean {
  return a.length === 0 || b.length === 0 ? a.length === b.length : a.some((team) => b.includes(team))
}

/**
 * The policy that an agent of these teams means: its teams' policies come before the organization's. Among several of
 * its teams, the lowest id always wins. Undefined if none serves the agent.
 */
export function routeFor(routes: readonly Route[], teams: readonly string[]): Route | undefined {
  const mine = routes
    .filter((route) => route.teams.some((team) => teams.includes(team)))
    .sort((a, b) => (a.policyId < b.policyId ? -1 : 1))
  return mine[0] ?? routes.find((route) => route.teams.length === 0)
}

export interface RouteChange {
  orgId: string
  policyId: string
  teams: readonly string[]
  /** Slugs before and after, in the order of the servers. */
  before: readonly string[]
  after: readonly string[]
}

/**
 * The writes that keep the routes in step with a policy's slugs. Each requires its document's version, so two policies
 * that claim a name at the same time cannot both get it. Errors: slug_taken.
 */
export async function routeWrites(
  db: Firestore,
  { orgId, policyId, teams, before, after }: RouteChange,
): Promise<Result<Write[]>> {
  const slugs = [...new Set([...before, ...after])]
  if (slugs.length === 0) return ok([])
  const paths = slugs.map((slug) => policyPaths.routes(orgId, slug))
  const found = await answered(readAll(db, paths))
  const writes: Write[] = []
  for (const [index, slug] of slugs.entries()) {
    const stored = found[index]!
    const routes = stored.data?.routes ?? []
    const others = routes.filter((route) => route.policyId !== policyId)
    const claimed = after.includes(slug)
    if (claimed && others.some((other) => overlap(other.teams, teams))) {
      return fail('slug_taken', `Another policy for the same agents has a server "${slug}".`, {
        field: `servers.${after.indexOf(slug)}.slug`,
      })
    }
    const wanted = claimed ? [...others, { policyId, teams: [...teams] }] : others
    if (JSON.stringify(wanted) !== JSON.stringify(routes)) writes.push(routeWrite(paths[index]!, stored, orgId, wanted))
  }
  return ok(writes)
}

function routeWrite(
  path: Path<ToolRoutesDoc>,
  { data, version }: Read<ToolRoutesDoc>,
  orgId: string,
  routes: Route[],
): Write {
  if (!data) return { op: 'create', path, data: { orgId, routes } }
  return routes.length === 0 ? { op: 'delete', path, version } : { op: 'update', path, data: { routes }, version }
}
