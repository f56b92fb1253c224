import * as z from 'zod'
import {
  LOCKFILE_BYTES_MAX,
  POLICY_SERVERS_MAX,
  SERVER_ERROR_LENGTH_MAX,
  SERVER_EVENTS_MAX,
  URL_LENGTH_MAX,
} from '../limits.ts'
import { isExactVersion, isIntegrity } from '../policy/pin.ts'
import { SERVER_EVENTS, SERVER_STATES, type WorkerPolicy } from '../policy/worker-protocol.ts'
import { utf8 } from '../bytes.ts'
import { count, id, jsonObject, sha256, timestamp, toolName } from '../shapes.ts'
import { operation } from './operation.ts'

const url = z.string().max(URL_LENGTH_MAX, 'invalid_url').describe('Where the worker is reached.')
const told = z
  .string()
  .max(SERVER_ERROR_LENGTH_MAX)
  .refine((text) => text.isWellFormed(), 'Holds a lone surrogate.')

/** The types of core/src/policy/worker-protocol.ts are its specification; what travels is made and read by Vitrine alone. */
const workerPolicy = z.custom<WorkerPolicy>(
  (value) => typeof value === 'object' && value !== null && 'servers' in value,
)
const keys = z.array(
  z.strictObject({ kid: z.string(), publicKey: z.string().describe('Ed25519, 32 bytes in base64url.') }),
)
const nothing = z.strictObject({})

/** What a tools worker asks of the control plane, by the connector key of its policy. */
export const workerOperations = {
  'worker/connect': operation({
    method: null,
    callers: ['worker'],
    summary:
      'Registers a worker and gives it its policy. Until the first heartbeat names servers it is sent no calls for them.',
    request: z.strictObject({ instanceId: id, url }),
    response: z.strictObject({ policy: workerPolicy, heartbeatMs: z.int(), keys }),
    errors: ['invalid_url', 'blocked_url', 'policy_not_found', 'too_many_calls'],
    effect: 'change',
    example: { instanceId: 'w1', url: 'https://worker.example.com' },
  }),
  'worker/heartbeat': operation({
    method: null,
    callers: ['worker'],
    summary: 'Says what the servers of a worker do, and brings the policy where that has changed.',
    request: z.strictObject({
      instanceId: id,
      url,
      policyVersion: count.describe('Of what is running.'),
      // Twice as many as a policy has: while one follows another, servers of both are there.
      servers: z
        .array(z.strictObject({ slug: toolName, state: z.enum(SERVER_STATES), error: told.optional() }))
        .max(2 * POLICY_SERVERS_MAX),
      events: z
        .array(z.strictObject({ slug: toolName, type: z.enum(SERVER_EVENTS), detail: told.optional() }))
        .max(SERVER_EVENTS_MAX)
        .default([]),
    }),
    response: z.strictObject({
      policy: workerPolicy.optional().describe('When `policyVersion` is not the current one.'),
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
      'Brings what a server lists and, for one from npm, what was installed. The first report pins both; later ones have to match the pin, or wait for approval.',
    request: z.strictObject({
      instanceId: id,
      slug: toolName,
      version: z.string().refine(isExactVersion, 'Must be an exact version.').optional(),
      integrity: z.string().refine(isIntegrity, 'Must be a sha512 as npm states it.').optional(),
      dependencies: sha256.optional(),
      resolvedAt: timestamp.optional(),
      lockfile: z
        .string()
        .refine((text) => utf8(text).length <= LOCKFILE_BYTES_MAX, 'upstream_too_large')
        .optional()
        .describe('Goes with a new pin: what `dependencies` is the digest of.'),
      tools: z.array(jsonObject).describe('As the server listed them.'),
    }),
    response: nothing,
    errors: ['server_not_found', 'pin_mismatch', 'upstream_too_large', 'policy_not_found', 'invalid_name'],
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
    summary: 'Gives the lockfile by which the pinned version of a server is installed.',
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
    summary: 'Takes a worker off: it is sent no calls from now on.',
    request: z.strictObject({ instanceId: id }),
    response: nothing,
    errors: [],
    effect: 'change',
    example: { instanceId: 'w1' },
  }),
}
