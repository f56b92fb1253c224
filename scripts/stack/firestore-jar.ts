/** Finds the jar of the Firestore emulator. */
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { onPath } from './search-path.ts'

export interface FirestoreJar {
  file: string
  /** Arguments of java that run it; the emulator's own follow. */
  run: string[]
  /** The oldest Java that runs it. */
  javaMin: number
}

const IN_SDK = 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar'
const SDK_FOLDERS = [
  '/usr/lib/google-cloud-sdk',
  '/usr/share/google-cloud-sdk',
  '/opt/google-cloud-sdk',
  '/usr/local/google-cloud-sdk',
  '/snap/google-cloud-cli/current',
]

/** Finds the emulator. Errors: not found, or a wrong FIRESTORE_EMULATOR_JAR; the message says what to do. */
export function findFirestoreJar(
  env: NodeJS.ProcessEnv = process.env,
  sdkFolders: readonly string[] = SDK_FOLDERS,
): FirestoreJar {
  const jar = lookForFirestoreJar(env, sdkFolders)
  if (jar !== null) return jar
  throw new Error(
    'The Firestore emulator is missing: run "npx firebase setup:emulators:firestore" (needs Java 21) or "gcloud components install cloud-firestore-emulator", or set FIRESTORE_EMULATOR_JAR.',
  )
}

/**
 * Looks at FIRESTORE_EMULATOR_JAR, then for what the Firebase CLI has downloaded, then in a Google Cloud SDK. Null when there is none.
 * Errors: a wrong FIRESTORE_EMULATOR_JAR.
 */
export function lookForFirestoreJar(
  env: NodeJS.ProcessEnv,
  sdkFolders: readonly string[] = SDK_FOLDERS,
): FirestoreJar | null {
  const named = env['FIRESTORE_EMULATOR_JAR']
  if (named) {
    if (!existsSync(named)) throw new Error(`FIRESTORE_EMULATOR_JAR=${named} does not exist: correct or unset it.`)
    return named.endsWith('cloud-firestore-emulator.jar') ? fromSdk(named) : fromFirebase(named)
  }
  const downloaded = newestIn(downloadFolder(env))
  if (downloaded !== null) return fromFirebase(downloaded)
  const installed = [...sdksOnPath(env), ...sdkFolders, join(homeOf(env), 'google-cloud-sdk')].map((sdk) =>
    join(sdk, IN_SDK),
  )
  const found = installed.find((file) => existsSync(file))
  return found === undefined ? null : fromSdk(found)
}

/** Where the Firebase CLI puts emulators. */
export function downloadFolder(env: NodeJS.ProcessEnv): string {
  return env['FIREBASE_EMULATORS_PATH'] ?? join(homeOf(env), '.cache/firebase/emulators')
}

/** The SDK's jar has no Main-Class. */
function fromSdk(file: string): FirestoreJar {
  return { file, run: ['-cp', file, 'com.google.cloud.datastore.emulator.firestore.CloudFirestore'], javaMin: 11 }
}

function fromFirebase(file: string): FirestoreJar {
  return { file, run: ['-jar', file], javaMin: 21 }
}

function newestIn(folder: string): string | null {
  if (!existsSync(folder)) return null
  const jars = readdirSync(folder).filter((name) => /^cloud-firestore-emulator-v.*\.jar$/.test(name))
  const newest = jars.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  return newest === undefined ? null : join(folder, newest)
}

/** The folders of the Google Cloud SDKs whose `gcloud` is on PATH. */
export function sdksOnPath(env: NodeJS.ProcessEnv): string[] {
  return onPath('gcloud', env).map((file) => dirname(dirname(realpathSync(file))))
}

function homeOf(env: NodeJS.ProcessEnv): string {
  return env['HOME'] ?? homedir()
}
