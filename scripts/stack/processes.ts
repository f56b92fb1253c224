import { startChild, untilReady, type Child, type ChildOptions } from './child.ts'

/** The processes of one stack by name. */
export interface Processes {
  /** Resolves with a line about the first process that ended without being told to. */
  broken: Promise<string>
  /** Starts one and resolves when it serves. */
  start(service: ChildOptions): Promise<void>
  /** Sends one a signal that ends it and waits until it is gone. */
  end(name: string, signal: NodeJS.Signals): Promise<void>
  /** Ends all, also those that are just starting, whose `start` fails then. None can be started any more. */
  stopAll(): Promise<void>
}

export function processes(): Processes {
  const children = new Map<string, Child>()
  const broken = Promise.withResolvers<string>()
  let stopped = false
  return {
    broken: broken.promise,
    async start(service) {
      if (stopped) throw new Error('the stack is stopping')
      const child = startChild(service)
      children.set(service.name, child)
      void child.exited.then((how) => {
        if (children.get(service.name) === child) broken.resolve(`${service.name} ended (${how}), see ${service.logFile}`)
      })
      await untilReady(child, service)
    },
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
