import type { Answer } from '../../scripts/stack/rpc.ts'
import type { Answer as AnswerOf } from '@vitrine/core/api/contract'
import { admin, call, done, newAgent, newOwner, type Agent, type Owner } from '../e2e/world.ts'
import { lockfileDigest, type Pin } from '@vitrine/core/policy/pin'

/** Tool policies through the functions, as owners and workers use them. */

export const INTEGRITY = `sha512-${'A'.repeat(86)}==`
export const OTHER_INTEGRITY = `sha512-${'B'.repeat(86)}==`

/** A report's lockfile; the control plane does not read it. */
export const LOCKFILE = '{"node_modules/x":{"version":"1.0.0"}}'
export const OTHER_LOCKFILE = '{"node_modules/x":{"version":"1.0.1"}}'
/** What a report pins by default. */
export const PIN: Pin = {
  version: '1.2.3',
  integrity: INTEGRITY,
  dependencies: lockfileDigest(LOCKFILE),
  resolvedAt: '2026-01-02T03:04:05.678Z',
}

/** A minimal server configuration. */
export function server(slug: string, more: object = {}): object {
  return { slug, package: `@acme/${slug}`, version: '1.2.3', ...more }
}

export interface Policy {
  policyId: string
  key: string
  owner: Owner
}

export async function newPolicy(servers: object[], more: object = {}, owner?: Owner): Promise<Policy> {
  const of = owner ?? (await newOwner())
  return {
    ...(await done<{ policyId: string; key: string }>(admin('createPolicy', { name: 'Tools', servers, ...more }, of))),
    owner: of,
  }
}

/** An owner of an organization with a member, an admin and an auditor, and a stranger to it. */
export async function newOrg(): Promise<{
  orgId: string
  owner: Owner
  admin: Owner
  member: Owner
  auditor: Owner
  stranger: Owner
}> {
  const [owner, second, member, auditor, stranger] = (await Promise.all(
    Array.from({ length: 5 }, () => newOwner()),
  )) as [Owner, Owner, Owner, Owner, Owner]
  await done(admin('listPolicies', {}, owner))
  await done(admin('listPolicies', {}, stranger))
  const orgId = owner.uid
  for (const [uid, role] of [
    [second.uid, 'admin'],
    [member.uid, 'member'],
    [auditor.uid, 'auditor'],
  ])
    await done(admin('setMember', { orgId, uid, role }, owner))
  return { orgId, owner, admin: second, member, auditor, stranger }
}

export async function newTeam(owner: Owner, name = 'Platform'): Promise<string> {
  return (await done<{ teamId: string }>(admin('createTeam', { name }, owner))).teamId
}

export function agentIn(owner: Owner, teams: string[]): Promise<Agent> {
  return newAgent(owner, { teams })
}

export function worker(operation: string, data: object, key: string): Promise<Answer> {
  return call(`worker/${operation}`, data, { bearer: key })
}

export function connect(
  key: string,
  url = 'http://127.0.0.1:18080',
  instanceId = 'w1',
): Promise<AnswerOf<'worker/connect'>> {
  return done(worker('connect', { instanceId, url }, key))
}

export function beat(key: string, more: object = {}): Promise<AnswerOf<'worker/heartbeat'>> {
  return done(
    worker(
      'heartbeat',
      { instanceId: 'w1', url: 'http://127.0.0.1:18080', policyVersion: 0, servers: [], ...more },
      key,
    ),
  )
}

export function report(key: string, slug: string, tools: object[], more: object = {}): Promise<Answer> {
  return worker('report', { instanceId: 'w1', slug, ...PIN, lockfile: LOCKFILE, tools, ...more }, key)
}
