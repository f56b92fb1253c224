import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startDemoApi, type DemoApi } from '../demo-api.ts'
import { findFirestoreJar } from './firestore-jar.ts'
import type { StackInfo } from './info.ts'
import { findJava } from './java.ts'
import { freePorts, HOST } from './ports.ts'
import { processes, type Processes } from './processes.ts'
import { demoApiToken, seedDemo } from './seed.ts'
import { seedPolicy } from './seed-policy.ts'
import {
  authService,
  firestoreService,
  functionsService,
  functionsUrl,
  kmsService,
  logFile,
  workerService,
  type Place,
  type Ports,
} from './services.ts'
import { firestoreExport, importAuth, latestSnapshot, takeSnapshot } from './snapshot.ts'

export interface StackOptions {
  /** Absolute path of a folder for state, logs and generated configuration; made when missing. */
  dir: string
  /** Those not named are chosen from what is free. */
  ports?: Partial<Ports>
  project?: string
  /** Whether the emulators' contents are saved in `dir` for the next start. The KMS keeps its keys either way. */
  persist: boolean
  /** Whether to make a demo owner, agent and tool. */
  seed?: boolean
  /** Gives up the start. */
  signal?: AbortSignal
  /** Gets what a person at the terminal should know. */
  log?: (line: string) => void
}

export interface Stack {
  info: StackInfo
  /** Resolves with a line about the first process that ended by itself. */
  broken: Promise<string>
  /** Ends the functions process and waits for it: SIGTERM lets requests in flight finish. */
  killFunctions(signal: NodeJS.Signals): Promise<void>
  /** Starts it again at the same port; `extraEnv` holds for this start alone. */
  startFunctions(extraEnv?: NodeJS.ProcessEnv): Promise<void>
  /** Ends the Firestore emulator. What it held since the last `save` is lost: it keeps everything in memory. */
  killFirestore(signal: NodeJS.Signals): Promise<void>
  /** Starts it again at the same port with what was saved last. */
  startFirestore(): Promise<void>
  /** Writes the emulators' contents to disk. */
  save(): Promise<void>
  /** Saves when the stack persists, then ends every process. Errors: what was last saved stays and the rest is lost. */
  stop(): Promise<void>
}

const SAVE_INTERVAL_MS = 60_000

/** Starts everything and resolves when it serves. Errors: one line that says what to do; nothing is left running then. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, persist, seed = false, project = 'demo-vitrine', signal, log = () => {} } = options
  await mkdir(dir, { recursive: true })
  const jar = findFirestoreJar()
  const java = await findJava(jar.javaMin)
  const [ports, extraPorts] = await choosePorts(options.ports ?? {})
  const place: Place = { project, dir, ports }
  const emulators = { project, firestore: `${HOST}:${ports.firestore}`, auth: `${HOST}:${ports.auth}` }
  const running = processes()

  const startFirestore = async (): Promise<void> => {
    const snapshot = await latestSnapshot(dir)
    await running.start(firestoreService(place, java.command, jar, snapshot && firestoreExport(snapshot)))
  }
  const startAuth = async (): Promise<void> => {
    await running.start(await authService(place, extraPorts))
    const snapshot = await latestSnapshot(dir)
    if (snapshot !== null) await importAuth(snapshot, emulators)
  }
  // A persistent stack does as production does, where another instance takes over.
  const onRestart = (line: string): void => log(`${line}; starting it again`)
  const startFunctions = (extraEnv: NodeJS.ProcessEnv = {}): Promise<void> =>
    running.start({ ...functionsService(place, extraEnv), ...(persist && { onRestart }) })

  let saving = Promise.resolve()
  const save = (): Promise<void> => (saving = saving.catch(() => {}).then(() => takeSnapshot(dir, emulators)))

  let demoApi: DemoApi | undefined
  let info: StackInfo
  const giveUp = (): void => void running.stopAll()
  signal?.addEventListener('abort', giveUp)
  try {
    await Promise.all([startFirestore(), startAuth(), running.start(kmsService(place)), startFunctions()])
    info = await describe(place)
    if (seed) demoApi = await addDemo(info, dir, ports.demoApi, log)
    if (info.demo) await addWorker(info, place, running, log)
    signal?.throwIfAborted()
  } catch (error) {
    demoApi?.stop()
    await running.stopAll()
    throw error
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
  const timer = setInterval(
    () => void save().catch((error: Error) => log(`State was not saved: ${error.message}`)),
    SAVE_INTERVAL_MS,
  )
  if (!persist) clearInterval(timer)

  return {
    info,
    broken: running.broken,
    killFunctions: (name) => running.end('functions', name),
    startFunctions,
    killFirestore: (name) => running.end('firestore', name),
    startFirestore,
    save,
    async stop() {
      clearInterval(timer)
      try {
        // It says farewell to the functions and ends its servers.
        if (running.isRunning('worker')) await running.end('worker', 'SIGTERM')
        if (persist) {
          await running.end('functions', 'SIGTERM')
          await save()
        }
      } finally {
        demoApi?.stop()
        await running.stopAll()
      }
    },
  }
}

async function choosePorts(wanted: Partial<Ports>): Promise<[Ports, [number, number]]> {
  const [functions, firestore, auth, kms, demoApi, hub, logging] = (await freePorts(7)) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return [{ functions, firestore, auth, kms, demoApi, ...wanted }, [hub, logging]]
}

/** The functions are those that the process itself has named in its log. */
async function describe({ project, dir, ports }: Place): Promise<StackInfo> {
  const line = (await readFile(logFile(dir, 'functions'), 'utf8'))
    .split('\n')
    .find((text) => text.startsWith('{"port":'))
  const { functions } = JSON.parse(line ?? '{"functions":[]}') as { functions: string[] }
  const baseUrl = functionsUrl(project, ports)
  return {
    project,
    baseUrl,
    functions: Object.fromEntries(functions.map((name) => [name, `${baseUrl}/${name}`])),
    firestore: `${HOST}:${ports.firestore}`,
    auth: `${HOST}:${ports.auth}`,
    kms: `${HOST}:${ports.kms}`,
  }
}

async function addDemo(info: StackInfo, dir: string, port: number, log: (line: string) => void): Promise<DemoApi> {
  const file = join(dir, 'demo.json')
  const token = await demoApiToken(file)
  const api = await startDemoApi(port, token)
  try {
    info.demo = await seedDemo(info, file, { url: api.url, token })
  } catch (error) {
    log(`There is no demo owner and agent: ${(error as Error).message}`)
  }
  return api
}

/** The demo goes on without a worker: the package registry may be out of reach. */
async function addWorker(
  info: StackInfo,
  place: Place,
  running: Processes,
  log: (line: string) => void,
): Promise<void> {
  const { dir } = place
  try {
    const policy = await seedPolicy(info, dir)
    const service = workerService(place, policy.key)
    await running.start({ ...service, onEnd: (line) => log(`${line}; its tools are away until the next start`) })
    const port = /listening: port (\d+)/.exec(await readFile(service.logFile, 'utf8'))?.[1]
    info.demo = { ...info.demo!, policy }
    info.worker = { url: `http://${HOST}:${port}`, policyId: policy.id }
  } catch (error) {
    log(`There is no tools worker: ${(error as Error).message}`)
  }
}
