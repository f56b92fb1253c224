import { startChild, untilReady, type Child, type ChildOptions } from './child.ts'

/** The processes of one stack by name. */
export interface Processes {
  /** Resolves with a line about the first process that ended without being told to. */
  broken: Promise<string>
  /** Starts one and resolves when it serves. */
  start(service: ChildOptions): Promise<void>
  isRunning(name: string): boolean
  /** Sends one a signal that ends it and waits until it is gone. */
  end(name: string, signal: NodeJS.Signals): Promise<void>
  /** Ends all, also those that are just starting, whose `start` fails then. None can be started any more. */
  stopAll(): Promise<void>
}

/** What ends so soon after it was started would do so again. */
const LIFE_MS_MIN = 2_000

export function processes(): Processes {
  const children = new Map<string, Child>()
  const broken = Promise.withResolvers<string>()
  let stopped = false

  async function start(service: ChildOptions): Promise<void> {
    if (stopped) throw new Error('the stack is stopping')
    const child = startChild(service)
    const startedMs = Date.now()
    children.set(service.name, child)
    void child.exited.then((how) => {
      if (children.get(service.name) !== child) return
      const line = `${service.name} ended (${how}), see ${service.logFile}`
      if (service.onEnd) {
        children.delete(service.name)
        return service.onEnd(line)
      }
      if (!service.onRestart || Date.now() - startedMs < LIFE_MS_MIN) return broken.resolve(line)
      service.onRestart(line)
      start(service).catch((error: Error) => broken.resolve(error.message))
    })
    await untilReady(child, service)
  }

  return {
    broken: broken.promise,
    start,
    isRunning: (name) => children.has(name),
    async end(name, signal) {
      const child = children.get(name)
      if (child === undefined) throw new Error(`${name} is not running`)
      children.delete(name)
      child.kill(signal)
      await child.exited
    },
    async stopAll() {
      stopped = true
      const all = [...children.values()]
      children.clear()
      await Promise.all(all.map((child) => child.stop()))
    },
  }
}
