import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

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

/**
 * Finds the Firestore emulator: `FIRESTORE_EMULATOR_JAR`, then what the Firebase CLI downloaded, then the Google Cloud SDK.
 * Errors: not found; the message names the ways to get it.
 */
export function findFirestoreJar(
  env: NodeJS.ProcessEnv = process.env,
  sdkFolders: readonly string[] = SDK_FOLDERS,
): FirestoreJar {
  const named = env['FIRESTORE_EMULATOR_JAR']
  if (named) {
    if (!existsSync(named)) throw new Error(`FIRESTORE_EMULATOR_JAR=${named} does not exist: correct or unset it.`)
    return named.endsWith('cloud-firestore-emulator.jar') ? fromSdk(named) : fromFirebase(named)
  }
  const home = env['HOME'] ?? homedir()
  const downloaded = newestIn(env['FIREBASE_EMULATORS_PATH'] ?? join(home, '.cache/firebase/emulators'))
  if (downloaded !== null) return fromFirebase(downloaded)
  const installed = [...sdksOnPath(env['PATH'] ?? ''), ...sdkFolders, join(home, 'google-cloud-sdk')].map((sdk) =>
    join(sdk, IN_SDK),
  )
  const found = installed.find((file) => existsSync(file))
  if (found !== undefined) return fromSdk(found)
  throw new Error(
    'The Firestore emulator is missing: run "npx firebase setup:emulators:firestore" (needs Java 21) or "gcloud components install cloud-firestore-emulator", or set FIRESTORE_EMULATOR_JAR.',
  )
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

function sdksOnPath(path: string): string[] {
  const commands = path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'gcloud'))
  return commands.filter((file) => existsSync(file)).map((file) => dirname(dirname(realpathSync(file))))
}
