import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFunctions, type Functions } from '../e2e/functions.ts'

/** A functions process that tests kill and restart. */
export interface Victim {
  /** Its current address: every start gets a new port. */
  baseUrl(): string
  /** Makes it kill itself at the nth end of a step from now on. */
  killAt(step: string, nth: number): Promise<void>
  kill(): Promise<void>
  /** Resolves when it is dead and another process serves in its place. */
  restart(): Promise<void>
  /** Ends it for good. */
  stop(): Promise<void>
}

const PRELOAD = `--import ${new URL('kill-at.ts', import.meta.url).href}`

export async function startVictim(env: NodeJS.ProcessEnv): Promise<Victim> {
  const dir = await mkdtemp(join(tmpdir(), 'vitrine-victim-'))
  const file = join(dir, 'kill-at')
  await writeFile(file, '')
  const start = (): Promise<Functions> => startFunctions({ ...env, NODE_OPTIONS: PRELOAD, KILL_AT: file })
  let current = await start()
  return {
    baseUrl: () => current.baseUrl,
    killAt: (step, nth) => writeFile(file, `${step}:${nth}`),
    kill: () => current.stop(),
    async restart() {
      await current.exited
      await current.stop()
      await writeFile(file, '')
      current = await start()
    },
    async stop() {
      await current.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
