import { RECONCILE_AFTER_MS } from '@vitrine/core/limits'
import { readEgressPolicy, type EgressPolicy } from './egress/policy.ts'
import { LOG_LEVELS, type LogLevel } from './lib/log.ts'
import type { Witness } from './proof/parts.ts'
import { readWitnesses } from './proof/witness-list.ts'

/** The configuration from environment variables; only the composition root reads it, once. */
export interface Environment {
  project: string
  /** The Cloud KMS key that seals credentials. */
  kmsKey: string
  /** host:port of a local KMS that replaces Cloud KMS. */
  kmsEmulatorHost: string | undefined
  /** host:port of the Firestore emulator, under the name that Google's own clients read. */
  firestoreEmulatorHost: string | undefined
  /** What tools may reach. */
  egress: EgressPolicy
  /** Age at which an intent without an outcome is closed as unknown. */
  reconcileAfterMs: number
  /** The version of a Cloud KMS key that signs checkpoints. */
  signingKey: string
  /** The Cloud Storage bucket that checkpoints are published to. */
  checkpointBucket: string | undefined
  /** A local folder that replaces the bucket. */
  checkpointDir: string | undefined
  witnesses: Witness[]
  /** Variables of the tools workers that secrets may name. */
  secretEnv: ReadonlySet<string>
  /** The only function that this instance serves; Cloud Run sets it. */
  functionTarget: string | undefined
  /** Which log lines are written. */
  log: LogLevel
}

/** Throws if the project is missing, if a variable is malformed, or if a setting for local stacks is used elsewhere. */
export function environment(env: Record<string, string | undefined>): Environment {
  const project = env['GCLOUD_PROJECT'] ?? env['GOOGLE_CLOUD_PROJECT']
  if (!project) throw new Error('GCLOUD_PROJECT is not set')
  // Google Cloud has no projects of this name (firebase-tools), so a leftover variable cannot weaken production.
  const isDemo = project.startsWith('demo-')
  const kmsEmulatorHost = env['KMS_EMULATOR_HOST']
  const reconcileAfterMs = env['VITRINE_RECONCILE_AFTER_MS']
  const checkpointDir = env['VITRINE_CHECKPOINT_DIR']
  if (!isDemo && (kmsEmulatorHost || reconcileAfterMs || checkpointDir)) {
    throw new Error('KMS_EMULATOR_HOST, VITRINE_RECONCILE_AFTER_MS and VITRINE_CHECKPOINT_DIR are for demo-* projects')
  }
  return {
    project,
    kmsKey:
      env['VITRINE_KMS_KEY'] ?? `projects/${project}/locations/us-central1/keyRings/vitrine/cryptoKeys/credentials`,
    kmsEmulatorHost,
    firestoreEmulatorHost: env['FIRESTORE_EMULATOR_HOST'],
    egress: readEgressPolicy(env),
    reconcileAfterMs: reconcileAfterMs === undefined ? RECONCILE_AFTER_MS : Number(reconcileAfterMs),
    signingKey:
      env['VITRINE_SIGNING_KEY'] ??
      `projects/${project}/locations/us-central1/keyRings/vitrine/cryptoKeys/checkpoints/cryptoKeyVersions/1`,
    checkpointBucket: env['VITRINE_CHECKPOINT_BUCKET'],
    checkpointDir,
    functionTarget: env['FUNCTION_TARGET'],
    log: readLogLevel(env['VITRINE_LOG']),
    witnesses: readWitnesses(env['VITRINE_WITNESSES']),
    secretEnv: new Set(
      (env['VITRINE_SECRET_ENV'] ?? '')
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    ),
  }
}

function readLogLevel(text: string | undefined): LogLevel {
  const level = LOG_LEVELS.find((known) => known === (text?.trim() || 'info'))
  if (!level) throw new Error(`VITRINE_LOG is one of ${LOG_LEVELS.join(', ')}`)
  return level
}
