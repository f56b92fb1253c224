import type { Firestore } from 'firebase-admin/firestore'
import type { Meta } from '@vitrine/core/log/entry'
import { POLICY_BYTES_MAX } from '@vitrine/core/limits'
import { isNodeServer, type Builtins, type ServerConfig } from '@vitrine/core/policy/server-config'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Write } from '../ledger/plan.ts'
import { policyPaths, type ToolPolicyDoc } from '../store/policy-documents.ts'
import { forget } from './records.ts'

/** The part of a policy that its owner writes. */
export type PolicySettings = Pick<ToolPolicyDoc, 'name' | 'teams' | 'builtins' | 'servers'>

export const NO_BUILTINS: Builtins = { web_search: false, web_answers: false, web_fetch: false, code_executor: false }

/** Errors: invalid_argument for a policy that is too large, team_not_found for a team that its organization lacks. */
export async function checkSettings(db: Firestore, orgId: string, settings: PolicySettings): Promise<Result<null>> {
  if (Buffer.byteLength(JSON.stringify(settings)) > POLICY_BYTES_MAX) {
    return fail('invalid_argument', `servers: The policy is larger than ${POLICY_BYTES_MAX / 1024} KiB.`, {
      field: 'servers',
    })
  }
  return findTeams(db, orgId, teamsNamed(settings))
}

/** Checks the teams of an agent. Errors: team_not_found. */
export async function checkTeams(db: Firestore, orgId: string, teams: readonly string[]): Promise<Result<null>> {
  return findTeams(
    db,
    orgId,
    teams.map((team, i) => ({ team, field: `teams.${i}` })),
  )
}

async function findTeams(
  db: Firestore,
  orgId: string,
  named: { team: string; field: string }[],
): Promise<Result<null>> {
  if (named.length === 0) return ok(null)
  const found = await db.getAll(...named.map(({ team }) => db.doc(policyPaths.team(orgId, team))))
  const missing = named[found.findIndex((snapshot) => !snapshot.exists)]
  return missing
    ? fail('team_not_found', `${missing.field}: There is no such team.`, { field: missing.field })
    : ok(null)
}

function teamsNamed({ teams, servers }: PolicySettings): { team: string; field: string }[] {
  const own = teams.map((team, i) => ({ team, field: `teams.${i}` }))
  const ofSecrets = servers.flatMap(({ env }, i) =>
    env.flatMap((variable, j) =>
      variable.source === 'team_secret' ? [{ team: variable.team, field: `servers.${i}.env.${j}.team` }] : [],
    ),
  )
  return [...own, ...ofSecrets]
}

/** A policy's settings for an audit entry: names and versions, no values. */
export function settingsMeta({ name, teams, builtins, servers }: PolicySettings): Meta {
  return {
    name,
    teams: listed(teams),
    builtins: listed(
      Object.entries(builtins)
        .filter(([, on]) => on)
        .map(([builtin]) => builtin),
    ),
    servers: listed(servers.map((server) => `${server.slug}=${sourceOf(server)}${server.enabled ? '' : ' (off)'}`)),
  }
}

const LIST_LENGTH_MAX = 2_000

function listed(items: readonly string[]): string {
  const text = items.join(', ')
  return text.length > LIST_LENGTH_MAX ? `${text.slice(0, LIST_LENGTH_MAX)}…` : text
}

/** The code that a server runs, and whose install scripts made it; its record applies only to that code. npm names cannot contain `node:`. */
function sourceOf(server: ServerConfig): string {
  if (isNodeServer(server)) return 'node:'
  const { package: name, version, scripts = [] } = server
  return `${name}@${version}${scripts.length === 0 ? '' : ` (scripts of ${[...scripts].sort().join(', ')})`}`
}

/** Deletes the records of servers that were removed or whose source changed. */
export function unpinned(
  orgId: string,
  policyId: string,
  before: ToolPolicyDoc['servers'],
  after: ToolPolicyDoc['servers'],
): Write[] {
  return before
    .filter((old) => !after.some((server) => server.slug === old.slug && sourceOf(server) === sourceOf(old)))
    .flatMap(({ slug }) => forget(orgId, policyId, slug))
}
