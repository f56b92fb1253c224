/**
 * The emulators' contents on disk: `{dir}/snapshots-2/{number}/` holds a Firestore export and the Auth users. The folder of an
 * unfinished snapshot ends in `.part`. The newest finished one counts, so an export that breaks off loses nothing.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export interface Emulators {
  project: string
  /** `host:port`. */
  firestore: string
  auth: string
}

/** Numbered by the form of the documents: since 2, chains store lines. What has another form cannot be read. */
const FOLDER = 'snapshots-2'
const EARLIER = ['snapshots']

const AS_OWNER = { authorization: 'Bearer owner', 'content-type': 'application/json' }
const FIRESTORE_EXPORT = 'firestore/firestore.overall_export_metadata'

/** The newest whole snapshot's folder. */
export async function latestSnapshot(dir: string): Promise<string | null> {
  const newest = (await snapshots(dir)).at(-1)
  return newest === undefined ? null : join(dir, FOLDER, newest)
}

/**
 * Writes a snapshot, then removes the one that it replaces. `check` throws when what was written must not replace it.
 */
export async function takeSnapshot(dir: string, emulators: Emulators, check: () => void = () => {}): Promise<void> {
  const before = await snapshots(dir)
  const name = String(Number(before.at(-1) ?? 0) + 1).padStart(9, '0')
  const whole = join(dir, FOLDER, name)
  const part = `${whole}.part`
  await rm(part, { recursive: true, force: true })
  await mkdir(part, { recursive: true })
  await Promise.all([exportFirestore(part, emulators), exportAuth(part, emulators)])
  check()
  await rename(part, whole)
  await Promise.all(before.map((old) => rm(join(dir, FOLDER, old), { recursive: true })))
}

/** Snapshots of an earlier form that nothing has replaced. They stay where they are. */
export function earlierSnapshots(dir: string): string | undefined {
  if (existsSync(join(dir, FOLDER))) return undefined
  return EARLIER.map((name) => join(dir, name)).find(existsSync)
}

/** For the emulator's `--seed_from_export`. */
export function firestoreExport(snapshot: string): string {
  return join(snapshot, FIRESTORE_EXPORT)
}

/** Puts the users of a snapshot back into a freshly started Auth emulator. */
export async function importAuth(snapshot: string, { project, auth }: Emulators): Promise<void> {
  const saved = JSON.parse(await readFile(join(snapshot, 'auth.json'), 'utf8')) as {
    accounts: { users?: unknown[] }
    config: unknown
  }
  await request('PATCH', `http://${auth}/emulator/v1/projects/${project}/config`, saved.config)
  if (saved.accounts.users?.length) await request('POST', `${accountsUrl(auth, project)}:batchCreate`, saved.accounts)
}

async function exportFirestore(folder: string, { project, firestore }: Emulators): Promise<void> {
  const body = {
    database: `projects/${project}/databases/(default)`,
    export_directory: folder,
    export_name: 'firestore',
  }
  await request('POST', `http://${firestore}/emulator/v1/projects/${project}:export`, body)
}

async function exportAuth(folder: string, { project, auth }: Emulators): Promise<void> {
  const [accounts, config] = await Promise.all([
    request('GET', `${accountsUrl(auth, project)}:batchGet?maxResults=-1`),
    request('GET', `http://${auth}/emulator/v1/projects/${project}/config`),
  ])
  await writeFile(join(folder, 'auth.json'), JSON.stringify({ accounts, config }), { mode: 0o600 })
}

function accountsUrl(auth: string, project: string): string {
  return `http://${auth}/identitytoolkit.googleapis.com/v1/projects/${project}/accounts`
}

async function request(method: string, url: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method,
    headers: AS_OWNER,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text.slice(0, 200)}`)
  return JSON.parse(text)
}

async function snapshots(dir: string): Promise<string[]> {
  const folder = join(dir, FOLDER)
  if (!existsSync(folder)) return []
  return (await readdir(folder)).filter((name) => /^\d+$/.test(name)).sort()
}
