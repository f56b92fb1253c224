/** The demo's share of a stack: an owner, an agent, the API behind its `weather` tool, and a worker with three tool servers. */
import { join } from 'node:path'
import { startDemoApi } from '../demo-api.ts'
import type { StackInfo } from './info.ts'
import { workerPart } from './parts.ts'
import { freePorts, HOST } from './ports.ts'
import type { Processes } from './processes.ts'
import { demoApiToken, seedDemo } from './seed.ts'
import { seedPolicy } from './seed-policy.ts'
import type { Place } from './services.ts'

export interface DemoStack {
  /** The owner, agent, policy and worker that exist; what could not be made is left out. */
  found: Pick<StackInfo, 'demo' | 'worker'>
  stop(): void
}

/** A demo that cannot be made is no reason to stop the stack: `log` says why. Errors: the API cannot listen. */
export async function startDemo(
  info: StackInfo,
  place: Place,
  running: Processes,
  log: (line: string) => void,
): Promise<DemoStack> {
  const file = join(place.dir, 'demo.json')
  const token = await demoApiToken(file)
  const api = await startDemoApi(place.ports.demoApi, token)
  const stop = (): void => void api.stop()
  try {
    const demo = await seedDemo(info, file, { url: api.url, token })
    return { found: await withWorker({ ...info, demo }, place, running, log), stop }
  } catch (error) {
    log(`There is no demo owner and agent: ${(error as Error).message}`)
    return { found: {}, stop }
  }
}

/** The worker installs its tool servers, and the package registry may be out of reach. */
async function withWorker(
  info: StackInfo & Required<Pick<StackInfo, 'demo'>>,
  place: Place,
  running: Processes,
  log: (line: string) => void,
): Promise<DemoStack['found']> {
  const { demo } = info
  try {
    const policy = await seedPolicy(info, place.dir)
    const [port] = (await freePorts(1)) as [number]
    await running.start(workerPart(place, policy.key, port, log))
    return { demo: { ...demo, policy }, worker: { url: `http://${HOST}:${port}`, policyId: policy.id } }
  } catch (error) {
    log(`There is no tools worker: ${(error as Error).message}`)
    return { demo }
  }
}
