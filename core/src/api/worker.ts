import * as z from 'zod'
import {
  LOCKFILE_BYTES_MAX,
  POLICY_SERVERS_MAX,
  SERVER_ERROR_LENGTH_MAX,
  SERVER_EVENTS_MAX,
  URL_LENGTH_MAX,
} from '../limits.ts'
import { isExactVersion, isIntegrity } from '../policy/pin.ts'
import { SERVER_EVENTS, SERVER_STATES, START_CODES, type WorkerPolicy } from '../policy/worker-protocol.ts'
import { utf8 } from '../bytes.ts'
import { count, id, jsonObject, sha256, timestamp, toolName } from '../shapes.ts'
import { operation } from './operation.ts'
import { pinnedScripts } from './policies.ts'

const url = z.string().max(URL_LENGTH_MAX, 'invalid_url').describe("The worker's address for calls.")
const told = z
  .string()
  .max(SERVER_ERROR_LENGTH_MAX)
  .refine((text) => text.isWellFormed(), 'Holds a lone surrogate.')

/**
 * core/src/policy/worker-protocol.ts specifies the type. Only Vitrine writes and reads it, so it is not validated
 * further.
 */
const workerPolicy = z.custom<WorkerPolicy>(
  (value) => typeof value === 'object' && value !== null && 'servers' in value,
)
const keys = z.array(
  z.strictObject({ kid: z.string(), publicKey: z.string().describe('Ed25519, 32 bytes in base64url.') }),
)
const nothing = z.strictObject({})

/** The operations that a tools worker calls with the connector key of its policy. */
export const workerOperations = {
  'worker/connect': operation({
    method: null,
    callers: ['worker'],
    summary:
      'Registers a worker and returns its policy. Until a heartbeat reports a server as ready, calls for it prefer other workers.',
    request: z.strictObject({ instanceId: id, url }),
    response: z.strictObject({ policy: workerPolicy, heartbeatMs: z.int(), keys }),
    errors: ['invalid_url', 'blocked_url', 'policy_not_found', 'too_many_calls'],
    effect: 'change',
    example: { instanceId: 'w1', url: 'https://worker.example.com' },
  }),
  'worker/heartbeat': operation({
    method: null,
    callers: ['worker'],
    summary: "Reports the state of a worker's servers and returns the policy if it has changed.",
    request: z.strictObject({
      instanceId: id,
      url,
      policyVersion: count.describe('Version of the policy that the worker runs.'),
      // Twice a policy's maximum: while a new policy replaces an old one, the servers of both are running.
      servers: z
        .array(
          z.strictObject({
            slug: toolName,
            state: z.enum(SERVER_STATES),
            error: told.optional(),
            code: z
              .enum(START_CODES)
              .optional()
              .describe('What calls of a failed server are answered, if not `server_failed`.'),
          }),
        )
        .max(2 * POLICY_SERVERS_MAX),
      events: z
        .array(z.strictObject({ slug: toolName, type: z.enum(SERVER_EVENTS), detail: told.optional() }))
        .max(SERVER_EVENTS_MAX)
        .default([]),
    }),
    response: z.strictObject({
      policy: workerPolicy.optional().describe('Present if `policyVersion` is not the current one.'),
    }),
    errors: ['invalid_url', 'blocked_url', 'policy_not_found', 'invalid_name'],
    effect: 'change',
    example: {
      instanceId: 'w1',
      url: 'https://worker.example.com',
      policyVersion: 1,
      servers: [{ slug: 'everything', state: 'ready' }],
    },
  }),
  'worker/report': operation({
    method: null,
    callers: ['worker'],
    summary:
      "Reports a server's list of tools and, for a server from npm, the installed package. The first report pins both. Later ones must match the pinned package; a changed list waits for approval, and one that cannot be taken stops all commands.",
    request: z.strictObject({
      instanceId: id,
      slug: toolName,
      version: z.string().refine(isExactVersion, 'Must be an exact version.').optional(),
      integrity: z.string().refine(isIntegrity, 'Must be a sha512 as npm states it.').optional(),
      dependencies: sha256.optional(),
      resolvedAt: timestamp.optional(),
      scripts: pinnedScripts.optional(),
      lockfile: z
        .string()
        .refine((text) => utf8(text).length <= LOCKFILE_BYTES_MAX, 'upstream_too_large')
        .optional()
        .describe('Required for a new pin; `dependencies` is its digest.'),
      tools: z
        .array(jsonObject)
        .optional()
        .describe('The tools exactly as the server listed them. Required without `problem`.'),
      problem: told.optional().describe('Why the list cannot be taken; stands in the place of `tools`.'),
    }),
    response: nothing,
    errors: [
      'server_not_found',
      'upstream_invalid',
      'pin_mismatch',
      'upstream_too_large',
      'policy_not_found',
      'invalid_name',
    ],
    effect: 'change',
    example: {
      instanceId: 'w1',
      slug: 'everything',
      version: '1.0.0',
      integrity: `sha512-${'A'.repeat(86)}==`,
      dependencies: '0'.repeat(64),
      resolvedAt: '2026-01-02T03:04:05.678Z',
      lockfile: '{}',
      tools: [],
    },
  }),
  'worker/lockfile': operation({
    method: null,
    callers: ['worker'],
    summary: 'Returns the lockfile that installs the pinned version of a server.',
    request: z.strictObject({ slug: toolName }),
    response: z.strictObject({ lockfile: z.string() }),
    errors: ['server_not_found', 'invalid_name'],
    effect: 'read',
    example: { slug: 'everything' },
  }),
  'worker/keys': operation({
    method: null,
    callers: ['worker'],
    summary: 'Lists the public keys that calls may be signed with now.',
    request: z.strictObject({}),
    response: z.strictObject({ keys }),
    errors: [],
    effect: 'read',
    example: {},
  }),
  'worker/disconnect': operation({
    method: null,
    callers: ['worker'],
    summary: 'Removes a worker, which gets no more calls.',
    request: z.strictObject({ instanceId: id }),
    response: nothing,
    errors: [],
    effect: 'change',
    example: { instanceId: 'w1' },
  }),
}
