/** How each process of a stack is started, as values: nothing runs here. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChildOptions } from './child.ts'
import type { FirestoreJar } from './firestore-jar.ts'
import { heapFor, heapOptions, type Heap } from './heap.ts'
import { ROOT } from './paths.ts'
import { HOST } from './ports.ts'

export interface Ports {
  functions: number
  firestore: number
  auth: number
  kms: number
  demoApi: number
}

export interface Place {
  project: string
  /** State, logs and generated configuration. */
  dir: string
  ports: Ports
}

export const REGION = 'us-central1'

/** Tools may also live on this machine, unless the environment says otherwise. */
export const LOOPBACK = '127.0.0.0/8,::1/128'

/** Keeps the processes away from Google's metadata server and from checks for updates. */
const ISOLATED = { METADATA_SERVER_DETECTION: 'none', CI: '1', NO_UPDATE_NOTIFIER: '1' }

/**
 * The emulator shares two cores with its clients. Without threads for garbage collection, and with the quick compiler alone,
 * a call takes about half the CPU time. Its start takes a second less when Java does not prove once more that Google's classes are sound.
 */
const JAVA_OPTIONS = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:+IgnoreUnrecognizedVMOptions',
  '-XX:+UnlockDiagnosticVMOptions',
  '-XX:-BytecodeVerificationRemote',
  '-Duser.language=en',
]

export function firestoreService(
  { project, dir, ports }: Place,
  java: string,
  jar: FirestoreJar,
  seed: string | null,
  heap: Heap = heapFor(),
): ChildOptions {
  const seeding = seed === null ? [] : ['--seed_from_export', seed]
  return {
    name: 'firestore',
    command: java,
    args: [
      ...heapOptions(heap),
      ...JAVA_OPTIONS,
      ...jar.run,
      '--host',
      HOST,
      '--port',
      String(ports.firestore),
      '--project_id',
      project,
      '--rules',
      join(ROOT, 'firestore.rules'),
      ...seeding,
    ],
    cwd: dir,
    env: process.env,
    logFile: logFile(dir, 'firestore'),
    isReady: () => answers(`http://${HOST}:${ports.firestore}/`),
  }
}

export function authService({ project, dir, ports }: Place): ChildOptions {
  return {
    name: 'auth',
    command: process.execPath,
    args: [join(ROOT, 'scripts/auth-emulator.ts'), '--port', String(ports.auth), '--project', project],
    cwd: ROOT,
    env: process.env,
    logFile: logFile(dir, 'auth'),
    isReady: () => hasLogged(logFile(dir, 'auth'), 'ready'),
  }
}

export function kmsService({ project, dir, ports }: Place): ChildOptions {
  return {
    name: 'kms',
    command: process.execPath,
    args: [
      join(ROOT, 'scripts/kms-emulator.ts'),
      '--port',
      String(ports.kms),
      '--dir',
      join(dir, 'kms'),
      '--project',
      project,
    ],
    cwd: ROOT,
    env: process.env,
    logFile: logFile(dir, 'kms'),
    isReady: () => hasLogged(logFile(dir, 'kms'), 'ready'),
  }
}

export function functionsService(place: Place, extraEnv: NodeJS.ProcessEnv): ChildOptions {
  const { project, dir, ports } = place
  return {
    name: 'functions',
    command: process.execPath,
    args: [join(ROOT, 'scripts/functions-server.ts'), '--port', String(ports.functions), '--project', project],
    cwd: join(ROOT, 'functions'),
    env: { ...process.env, ...functionsEnv(place), ...extraEnv },
    logFile: logFile(dir, 'functions'),
    isReady: () => hasLogged(logFile(dir, 'functions'), '{"port":'),
  }
}

/** A tools worker. It listens first, then installs and starts its servers. */
export function workerService({ project, dir, ports }: Place, key: string, port: number): ChildOptions {
  return {
    name: 'worker',
    command: process.execPath,
    args: ['--enable-source-maps', join(ROOT, 'worker/lib/main.js')],
    cwd: dir,
    env: {
      ...process.env,
      ...ISOLATED,
      VITRINE_KEY: key,
      VITRINE_URL: functionsUrl(project, ports),
      PORT: String(port),
      KMS_EMULATOR_HOST: `${HOST}:${ports.kms}`,
      VITRINE_CACHE_DIR: join(dir, 'worker/cache'),
      VITRINE_WORK_DIR: join(dir, 'worker/work'),
    },
    logFile: logFile(dir, 'worker'),
    isReady: () => hasLogged(logFile(dir, 'worker'), 'listening: port'),
  }
}

export function functionsUrl(project: string, ports: Ports): string {
  return `http://${HOST}:${ports.functions}/${project}/${REGION}`
}

/** The environment that deployed functions get from their runtime, with the emulators in place of the real services. */
function functionsEnv({ project, dir, ports }: Place): NodeJS.ProcessEnv {
  const keyRing = `projects/${project}/locations/${REGION}/keyRings/vitrine`
  return {
    ...ISOLATED,
    NODE_ENV: 'production',
    NODE_COMPILE_CACHE: join(ROOT, '.cache/compile'),
    GCLOUD_PROJECT: project,
    FIREBASE_CONFIG: JSON.stringify({ projectId: project }),
    FIRESTORE_EMULATOR_HOST: `${HOST}:${ports.firestore}`,
    FIREBASE_AUTH_EMULATOR_HOST: `${HOST}:${ports.auth}`,
    KMS_EMULATOR_HOST: `${HOST}:${ports.kms}`,
    VITRINE_KMS_KEY: `${keyRing}/cryptoKeys/credentials`,
    VITRINE_SIGNING_KEY: `${keyRing}/cryptoKeys/checkpoints/cryptoKeyVersions/1`,
    VITRINE_CHECKPOINT_DIR: join(dir, 'checkpoints'),
    VITRINE_EGRESS_ALLOW: process.env['VITRINE_EGRESS_ALLOW'] ?? LOOPBACK,
    // If it were set, firebase-functions would not verify tokens.
    FUNCTIONS_EMULATOR: undefined,
  }
}

export function logFile(dir: string, name: string): string {
  return join(dir, 'logs', `${name}.log`)
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
  await response.arrayBuffer()
  return true
}

async function hasLogged(file: string, text: string): Promise<boolean> {
  return (await readFile(file, 'utf8')).includes(text)
}
