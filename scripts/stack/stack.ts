/** Starts, saves and stops a whole stack: the emulators, the local KMS, the functions, and the demo when it is asked for. */
import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startDemo, type DemoStack } from './demo.ts'
import { findFirestoreJar } from './firestore-jar.ts'
import { GC_LOG, heapFor, watchHeap } from './heap.ts'
import type { StackInfo } from './info.ts'
import { findJava } from './java.ts'
import { authPart, firestorePart, functionsPart, kmsPart } from './parts.ts'
import { freePorts, HOST } from './ports.ts'
import { PATIENT, processes } from './processes.ts'
import { createSaver, type Saver } from './saver.ts'
import { functionsUrl, logFile, type Place, type Ports } from './services.ts'
import { earlierSnapshots, type Emulators } from './snapshot.ts'

export interface StackOptions {
  /** Absolute path of a folder for state, logs and generated configuration; made when missing. */
  dir: string
  /** Free ports are chosen for those that are left out. */
  ports?: Partial<Ports>
  project?: string
  /**
   * Whether the stack lives on: the emulators' contents are saved in `dir` for the next start, and parts that end by
   * themselves are started again. Otherwise the first one that ends breaks the stack. The KMS keeps its keys either way.
   */
  persist: boolean
  /** Whether to make a demo owner, agent and tool. */
  seed?: boolean
  /** More environment for the functions. */
  functionsEnv?: NodeJS.ProcessEnv
  /** Gives up the start. */
  signal?: AbortSignal
  /** Gets what a person at the terminal should know. */
  log?: (line: string) => void
}

export interface Stack {
  info: StackInfo
  /** Resolves with the reason once a part is given up that the stack cannot do without. */
  broken: Promise<string>
  /** The share of the Firestore emulator's memory that documents take; from `FULL_SHARE` of heap.ts on it slows down. */
  firestoreHeapShare(): number
  /** Saves when the stack persists, then ends every process. Errors: it could not be saved; the last snapshot is kept. */
  stop(): Promise<void>
}

/** Starts everything and resolves when it serves. Errors: a message that says what to do; nothing is left running then. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, persist, seed = false, project = 'demo-vitrine', functionsEnv = {}, signal } = options
  const log = (line: string): void => {
    // A start that is given up fails in many ways, none of which matters.
    if (!signal?.aborted) options.log?.(line)
  }
  await mkdir(dir, { recursive: true })
  const heap = heapFor()
  const jar = findFirestoreJar()
  const java = await findJava(jar.javaMin)
  const place: Place = { project, dir, ports: { ...portsFrom(await freePorts(5)), ...options.ports } }
  const emulators: Emulators = {
    project,
    firestore: `${HOST}:${place.ports.firestore}`,
    auth: `${HOST}:${place.ports.auth}`,
  }
  const earlier = persist ? earlierSnapshots(dir) : undefined
  if (earlier !== undefined)
    log(
      `${earlier} is of an earlier version, whose chains this one cannot read: it is left there, and everything starts afresh.`,
    )
  const running = processes({ patience: persist ? PATIENT : null, log })
  const giveUp = (): void => void running.stopAll()
  signal?.addEventListener('abort', giveUp)
  let info: StackInfo
  let demo: DemoStack | undefined
  let saver: Saver | undefined
  try {
    signal?.throwIfAborted()
    const parts = [
      firestorePart(place, java.command, jar),
      authPart(place, emulators),
      kmsPart(place),
      functionsPart(place, functionsEnv),
    ]
    await Promise.all(parts.map((part) => running.start(part)))
    info = await describe(place, emulators)
    // What was saved may be of an earlier version.
    if (persist) await migrate(emulators)
    if (seed) demo = await startDemo(info, place, running, log)
    signal?.throwIfAborted()
  } catch (error) {
    demo?.stop()
    await running.stopAll()
    throw error
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
  if (persist) saver = createSaver(dir, emulators, running, log)
  const heapWatch = watchHeap(join(dir, GC_LOG), heap, log)

  return {
    info: { ...info, ...demo?.found },
    broken: running.broken,
    firestoreHeapShare: heapWatch.share,
    async stop() {
      heapWatch.stop()
      try {
        // The worker says goodbye to the functions and ends its servers.
        await running.stop('worker')
        if (saver) {
          await running.stop('functions')
          await saver.saveAndStop()
        }
      } finally {
        demo?.stop()
        await running.stopAll()
      }
    },
  }
}

async function migrate({ project, firestore }: Emulators): Promise<void> {
  const script = fileURLToPath(new URL('../migrate.ts', import.meta.url))
  const env = { ...process.env, FIRESTORE_EMULATOR_HOST: firestore }
  await promisify(execFile)(process.execPath, [script, '--project', project], { env })
}

function portsFrom([functions, firestore, auth, kms, demoApi]: readonly number[]): Ports {
  return { functions: functions!, firestore: firestore!, auth: auth!, kms: kms!, demoApi: demoApi! }
}

/** The functions process logs the names of its functions when it serves. */
async function describe(place: Place, { project, firestore, auth }: Emulators): Promise<StackInfo> {
  const line = (await readFile(logFile(place.dir, 'functions'), 'utf8'))
    .split('\n')
    .find((text) => text.startsWith('{"port":'))
  const { functions } = JSON.parse(line ?? '{"functions":[]}') as { functions: string[] }
  const baseUrl = functionsUrl(project, place.ports)
  return {
    project,
    baseUrl,
    functions: Object.fromEntries(functions.map((name) => [name, `${baseUrl}/${name}`])),
    firestore,
    auth,
    kms: `${HOST}:${place.ports.kms}`,
  }
}
