import * as z from 'zod'
import { isIntegrity } from '../policy/pin.ts'
import { BUILTINS, builtins, envSource, server, servers, slug, versionSpec } from '../policy/server-config.ts'
import { SERVER_STATES } from '../policy/worker-protocol.ts'
import { id, json, jsonObject, label, sha256, teams, timestamp, toolName } from '../shapes.ts'
import { operation } from './operation.ts'
import { argsUnchecked } from './tool-settings.ts'
import { breakerState } from './tools.ts'

const orgId = id.optional().describe("The caller's own organization by default.")
const key = z.string().meta({ secret: true })
const version = z.int().min(1)
const policyVersion = z.strictObject({ policyId: id, version: version.describe('Grows by one with every change.') })
const forTeams = teams.describe('Teams whose agents may use the policy; all agents of the organization if empty.')
const ofServer = z.strictObject({ policyId: id, slug })

const toolPolicy = z.strictObject({
  policyId: id,
  orgId: id,
  name: label,
  teams: forTeams,
  builtins: z.record(z.enum(BUILTINS), z.boolean()),
  servers: z.array(server),
  version,
})

export const pinnedScripts = z
  // A name has 214 characters, a version 128; several versions may run.
  .array(z.string().max(343))
  .max(256)
  .describe('The packages whose install scripts ran, as `name@version`; absent if none.')

export const pin = z
  .strictObject({
    version: z.string().describe('The exact version.'),
    integrity: z.string().refine(isIntegrity).describe('Subresource integrity, as npm states it.'),
    dependencies: sha256.describe('Hash of the lockfile used for the installation.'),
    resolvedAt: timestamp.describe("By the worker's clock, for information only."),
    scripts: pinnedScripts.optional(),
  })
  .meta({ id: 'Pin' })

export const policyOperations = {
  'admin/createPolicy': operation({
    method: 'policies.create',
    callers: ['owner'],
    summary: 'Creates a tool policy and its connector key, which is shown only once. For owners and admins.',
    request: z.strictObject({
      orgId,
      name: label,
      teams: forTeams.default([]),
      builtins: builtins.default({}),
      servers: servers.default([]),
    }),
    response: z.strictObject({ policyId: id, key }),
    errors: ['org_not_found', 'team_not_found', 'slug_taken', 'invalid_name'],
    effect: 'change',
    example: { name: 'trial', servers: [{ slug: 'everything', package: '@modelcontextprotocol/server-everything' }] },
  }),
  'admin/getPolicy': operation({
    method: 'policies.get',
    callers: ['owner'],
    summary: 'Shows a tool policy, the pins and circuits of its servers, and the workers that serve it. For members.',
    request: z.strictObject({ policyId: id }),
    response: z.strictObject({
      policy: toolPolicy,
      servers: z.array(
        z.strictObject({
          slug: toolName,
          pinned: pin.nullable().describe('Null until a worker has started it, and for servers of the node.'),
          manifestHash: sha256.nullable(),
          manifestPendingHash: sha256.nullable().describe('Set while a changed list waits for approval.'),
          manifestProblem: z
            .string()
            .nullable()
            .describe('Why the list that the server gives now cannot be taken. No command is called meanwhile.'),
          breaker: breakerState,
        }),
      ),
      workers: z.array(
        z.strictObject({
          instanceId: id,
          live: z.boolean(),
          seenAt: timestamp,
          servers: z.array(
            z.strictObject({
              slug: toolName,
              state: z.enum(SERVER_STATES),
              error: z.string().optional().describe('Why it is not ready; admin/getServerLog has what it wrote.'),
            }),
          ),
        }),
      ),
    }),
    errors: ['policy_not_found'],
    effect: 'read',
    example: { policyId: 'pol_0123456789abcdef0123' },
  }),
  'admin/listPolicies': operation({
    method: 'policies.list',
    callers: ['owner'],
    summary: 'Lists the tool policies of an organization by name. For members.',
    request: z.strictObject({ orgId }),
    response: z.strictObject({ policies: z.array(toolPolicy) }),
    errors: ['org_not_found'],
    effect: 'read',
    example: {},
  }),
  'admin/updatePolicy': operation({
    method: 'policies.update',
    callers: ['owner'],
    summary:
      'Changes a tool policy; fields left out keep their value. A server whose package or version changes loses its pin. For owners and admins.',
    request: z.strictObject({
      policyId: id,
      name: label.optional(),
      teams: forTeams.optional(),
      builtins: builtins.optional().describe('Switches the named builtins; the others keep their setting.'),
      servers: servers.optional().describe('Replaces all servers.'),
      version: version.optional().describe('The version to change; `conflict` if it is not the current one.'),
    }),
    response: policyVersion,
    errors: ['policy_not_found', 'team_not_found', 'slug_taken', 'invalid_name'],
    effect: 'change',
    example: { policyId: 'pol_0123456789abcdef0123', name: 'trial 2', version: 1 },
  }),
  'admin/deletePolicy': operation({
    method: 'policies.delete',
    callers: ['owner'],
    summary: 'Deletes a tool policy. Its key fails on its next use and its tools are gone. For owners and admins.',
    request: z.strictObject({ policyId: id }),
    response: z.strictObject({ policyId: id }),
    errors: ['policy_not_found'],
    effect: 'destroy',
    example: { policyId: 'pol_0123456789abcdef0123' },
  }),
  'admin/assignPolicy': operation({
    method: 'policies.assign',
    callers: ['owner'],
    summary:
      'Sets the teams whose agents may use a tool policy; without teams, all agents of the organization may. For owners and admins.',
    request: z.strictObject({ policyId: id, teams }),
    response: policyVersion,
    errors: ['policy_not_found', 'team_not_found', 'slug_taken'],
    effect: 'change',
    example: { policyId: 'pol_0123456789abcdef0123', teams: [] },
  }),
  'admin/regeneratePolicyKey': operation({
    method: 'policies.regenerateKey',
    callers: ['owner'],
    summary: "Replaces a policy's connector key; the old key fails on its next use. For owners and admins.",
    request: z.strictObject({ policyId: id }),
    response: z.strictObject({ key }),
    errors: ['policy_not_found'],
    effect: 'destroy',
    example: { policyId: 'pol_0123456789abcdef0123' },
  }),
  'admin/importServer': operation({
    method: 'policies.importServer',
    callers: ['owner'],
    summary:
      "Turns a registry's server.json into a server of a policy and, with `policyId`, adds it. For owners and admins.",
    request: z.strictObject({
      policyId: id.optional().describe('The policy to add the server to; without one, the server is only returned.'),
      serverJson: json.describe("A registry's server.json, schema 2025-12-11."),
      slug: slug.optional(),
      args: z.array(z.string()).optional().describe('Replaces the arguments in the file.'),
      scripts: z.array(z.string()).optional().describe('Packages whose install scripts run; see `Server`.'),
      sources: z
        .record(z.string(), envSource)
        .default({})
        .describe(
          "Sources by variable. A secret variable that is not named here takes the organization's secret of the same name.",
        ),
    }),
    response: z.strictObject({ server, policyId: id.optional(), version: version.optional() }),
    errors: ['policy_not_found', 'team_not_found', 'slug_taken', 'invalid_name'],
    effect: 'change',
    example: {
      serverJson: {
        name: 'io.github.acme/weather',
        version: '1.0.0',
        packages: [{ registryType: 'npm', identifier: 'weather-mcp', version: '1.0.0', transport: { type: 'stdio' } }],
      },
    },
  }),
  'admin/moveServerPin': operation({
    method: 'policies.moveServerPin',
    callers: ['owner'],
    summary:
      "Removes a server's pin, so that `version` and its dependencies are resolved again. For owners and admins.",
    request: ofServer.extend({ version: versionSpec }),
    response: policyVersion,
    errors: ['policy_not_found', 'server_not_found', 'invalid_name'],
    effect: 'change',
    example: { policyId: 'pol_0123456789abcdef0123', slug: 'everything', version: 'latest' },
  }),
  'admin/getServerManifest': operation({
    method: 'policies.getServerManifest',
    callers: ['owner'],
    summary:
      "Shows the approved list of a server's tools and the one waiting for approval; null before its first start. For members.",
    request: ofServer,
    response: z.strictObject({
      slug: toolName,
      manifest: jsonObject.nullable().describe('The approved `{tools}`.'),
      manifestHash: sha256.nullable(),
      pending: jsonObject.nullable(),
      pendingHash: sha256.nullable(),
      argsUnchecked,
    }),
    errors: ['policy_not_found', 'server_not_found', 'invalid_name'],
    effect: 'read',
    example: { policyId: 'pol_0123456789abcdef0123', slug: 'everything' },
  }),
  'admin/approveServerManifest': operation({
    method: 'policies.approveServerManifest',
    callers: ['owner'],
    summary: 'Approves the list that waits for approval, if it has this hash. For owners and admins.',
    request: ofServer.extend({ manifestHash: sha256 }),
    response: ofServer.extend({ manifestHash: sha256 }),
    errors: ['policy_not_found', 'server_not_found', 'manifest_not_found', 'invalid_name'],
    effect: 'change',
    example: { policyId: 'pol_0123456789abcdef0123', slug: 'everything', manifestHash: '0'.repeat(64) },
  }),
  'admin/getServerLog': operation({
    method: 'policies.getServerLog',
    callers: ['owner'],
    summary:
      'Shows what a server last wrote to stderr at each worker, with credentials removed. For owners and admins.',
    request: ofServer,
    response: z.strictObject({
      slug: toolName,
      workers: z.array(
        z.strictObject({
          instanceId: id,
          lines: z.array(z.string()).nullable().describe('Null if the worker did not answer.'),
        }),
      ),
    }),
    errors: ['policy_not_found', 'server_not_found', 'invalid_name'],
    effect: 'read',
    example: { policyId: 'pol_0123456789abcdef0123', slug: 'everything' },
  }),
}
