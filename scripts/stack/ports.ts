import { randomInt } from 'node:crypto'
import { createServer, type Server } from 'node:net'

export const HOST = '127.0.0.1'

/** Below those that systems hand out by themselves (Linux from 32768, others from 49152), above those of well-known services. */
const FIRST = 10_000
const LAST = 32_000

/**
 * Ports that were free a moment ago, all different. A port of the system's choice would be one that it may give to the next connection,
 * and the service that it was meant for could not listen.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  while (found.size < count) {
    const port = randomInt(FIRST, LAST)
    if (!found.has(port) && (await isFree(port))) found.add(port)
  }
  return [...found]
}

export async function isFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port))
    return true
  } catch {
    return false
  }
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, HOST, () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
