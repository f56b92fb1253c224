import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild, untilReady } from '../../scripts/stack/child.ts'
import type { StackInfo } from '../../scripts/stack/info.ts'
import { freePorts } from '../../scripts/stack/ports.ts'
import { functionsService, functionsUrl } from '../../scripts/stack/services.ts'

/** One more functions process on a stack's emulators. */
export interface Functions {
  baseUrl: string
  /** The process's output; removed when it is stopped. */
  logFile: string
  /** Resolves with the exit code or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>
  /** SIGKILL. */
  stop(): Promise<void>
}

/** `env` overrides the process's environment, such as where its KMS is; undefined removes a variable. */
export async function startFunctionsOn(
  { project, firestore, auth, kms }: StackInfo,
  env: NodeJS.ProcessEnv,
): Promise<Functions> {
  const dir = await mkdtemp(join(tmpdir(), 'vitrine-functions-'))
  const [functions] = (await freePorts(1)) as [number]
  const ports = { functions, firestore: portOf(firestore), auth: portOf(auth), kms: portOf(kms), demoApi: 0 }
  const service = functionsService({ project, dir, ports }, env)
  const child = startChild(service)
  await untilReady(child, service)
  return {
    baseUrl: functionsUrl(project, ports),
    logFile: service.logFile,
    exited: child.exited,
    async stop() {
      child.kill('SIGKILL')
      await child.exited
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function portOf(host: string): number {
  return Number(host.split(':')[1])
}
