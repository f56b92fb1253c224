import * as z from 'zod'
import { QUOTA_MAX } from '../limits.ts'
import { count, exactlyOne, id, label, month, secretName, timestamp } from '../shapes.ts'
import { operation } from './operation.ts'

const orgId = id.optional().describe("The caller's own organization by default.")

export const ROLES = ['owner', 'admin', 'member', 'auditor'] as const
export type Role = (typeof ROLES)[number]

export const SECRET_SCOPES = ['org', 'team', 'user'] as const
export type SecretScope = (typeof SECRET_SCOPES)[number]

const role = z.enum(ROLES).nullable().describe('Null removes the role.')
const invocations = count.max(QUOTA_MAX)

const secret = {
  scope: z.enum(SECRET_SCOPES).describe("The secret's owner: the organization, a team, or the caller."),
  team: id.optional().describe('Required for the scope `team`.'),
  name: secretName,
}

/** Organizations: their members, teams, secrets, keys and quotas. */
export const organizationOperations = {
  'admin/setMember': operation({
    method: 'members.set',
    callers: ['owner'],
    summary:
      'Gives a person a role in an organization, or removes it. For owners and admins; only owners change the roles of owners and admins, and nobody changes their own.',
    request: z.strictObject({ orgId, uid: id, role }),
    response: z.strictObject({ orgId: id, uid: id, role }),
    errors: ['org_not_found'],
    effect: 'change',
    example: { uid: 'somebody', role: 'auditor' },
  }),
  'admin/setQuota': operation({
    method: 'quota.set',
    callers: ['owner'],
    summary: "Sets an owner's monthly limit of invocations, from this month on. For owners and admins.",
    request: z.strictObject({
      ownerUid: id.optional().describe('The caller by default.'),
      orgId,
      monthlyInvocations: invocations,
    }),
    response: z.strictObject({
      limit: invocations.describe('Per month.'),
      used: count,
      resetsAt: timestamp.describe('Start of the next month.'),
    }),
    errors: ['org_not_found'],
    effect: 'change',
    example: { monthlyInvocations: 100_000 },
  }),
  'admin/getUsage': operation({
    method: 'quota.usage',
    callers: ['owner', 'auditor'],
    summary: "Shows an agent's charged and credited invocations in a month, and its owner's limit.",
    request: z.strictObject({ agentId: id, month: month.optional().describe('The current month by default.') }),
    response: z.strictObject({
      month,
      invoked: count,
      credited: count.describe('Given back because the tool did not answer.'),
      limit: invocations.describe("The owner's limit, shared by all of the owner's agents."),
    }),
    errors: ['agent_not_found'],
    effect: 'read',
    example: { agentId: 'agt_0123456789abcdef0123', month: '2026-01' },
  }),
  'admin/createTeam': operation({
    method: 'teams.create',
    callers: ['owner'],
    summary: 'Creates a team. For owners and admins.',
    request: z.strictObject({ orgId, name: label }),
    response: z.strictObject({ teamId: id }),
    errors: ['org_not_found'],
    effect: 'change',
    example: { name: 'support' },
  }),
  'admin/listTeams': operation({
    method: 'teams.list',
    callers: ['owner'],
    summary: 'Lists the teams of an organization. For members.',
    request: z.strictObject({ orgId }),
    response: z.strictObject({ teams: z.array(z.strictObject({ teamId: id, name: label })) }),
    errors: ['org_not_found'],
    effect: 'read',
    example: {},
  }),
  'admin/deleteTeam': operation({
    method: 'teams.delete',
    callers: ['owner'],
    summary:
      'Deletes a team, unless a tool policy names it. Its secrets remain until they are deleted. For owners and admins.',
    request: z.strictObject({ orgId, teamId: id }),
    response: z.strictObject({ teamId: id }),
    errors: ['org_not_found', 'team_not_found'],
    effect: 'destroy',
    example: { teamId: 'team_0123456789abcdef0123' },
  }),
  'admin/putSecret': operation({
    method: 'secrets.put',
    callers: ['owner'],
    summary:
      'Sets a secret of the organization or a team (for owners and admins), or of the caller. A value is encrypted at once and never returned.',
    request: exactlyOne(
      z.strictObject({
        orgId,
        ...secret,
        value: z.string().optional().describe('The value itself, at most 8 KiB.').meta({ secret: true }),
        env: z
          .string()
          .max(128)
          .optional()
          .describe("A variable of the workers' environment that the operator listed."),
        secretManager: z.string().max(512).optional().describe('A name in Secret Manager.'),
      }),
      ['value', 'env', 'secretManager'],
    ),
    response: z.strictObject({ ...secret, created: z.boolean() }),
    errors: ['org_not_found', 'team_not_found', 'token_too_large', 'kms_unavailable'],
    effect: 'change',
    example: { scope: 'org', name: 'BRAVE_API_KEY', value: '…' },
  }),
  'admin/listSecrets': operation({
    method: 'secrets.list',
    callers: ['owner'],
    summary: 'Lists the secrets that the caller may change, by scope and name; never their values.',
    request: z.strictObject({ orgId }),
    response: z.strictObject({ secrets: z.array(z.strictObject(secret)) }),
    errors: ['org_not_found'],
    effect: 'read',
    example: {},
  }),
  'admin/deleteSecret': operation({
    method: 'secrets.delete',
    callers: ['owner'],
    summary: 'Deletes a secret of the organization or a team (for owners and admins), or of the caller.',
    request: z.strictObject({ orgId, ...secret }),
    response: z.strictObject(secret),
    errors: ['org_not_found', 'secret_not_found'],
    effect: 'destroy',
    example: { scope: 'org', name: 'BRAVE_API_KEY' },
  }),
  'admin/createOwnerKey': operation({
    method: 'keys.create',
    callers: ['owner'],
    summary: 'Creates a key with which scripts act for the caller within one organization. It is shown only once.',
    request: z.strictObject({ label, orgId }),
    response: z.strictObject({ keyId: id, key: z.string().meta({ secret: true }) }),
    errors: ['org_not_found'],
    effect: 'change',
    example: { label: 'deploy script' },
  }),
  'admin/revokeOwnerKey': operation({
    method: 'keys.revoke',
    callers: ['owner'],
    summary: "Revokes an owner key: the caller's own, or, for owners and admins, any key of the organization.",
    request: z.strictObject({ keyId: id }),
    response: z.strictObject({ keyId: id }),
    errors: ['key_not_found'],
    effect: 'destroy',
    example: { keyId: 'key_0123456789abcdef0123' },
  }),
}
