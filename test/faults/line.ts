import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP connection to a service that tests can hold or cut. It does not look at the bytes. */
export interface Line {
  /** host:port */
  host: string
  /**
   * `held`: bytes wait on both sides, as in a network that lost its route. `cut`: connections break and new ones fail.
   */
  set(state: 'open' | 'held' | 'cut'): void
  close(): Promise<void>
}

export async function startLine(to: string): Promise<Line> {
  const [host, port] = to.split(':')
  const pairs = new Set<readonly [near: Socket, far: Socket]>()
  let state: 'open' | 'held' | 'cut' = 'open'

  const server = createServer({ pauseOnConnect: true }, (near) => {
    near.on('error', () => undefined)
    if (state === 'cut') return near.resetAndDestroy()
    const far = connect(Number(port), host)
    const pair = [near, far] as const
    pairs.add(pair)
    far.pause()
    far.on('error', () => near.resetAndDestroy())
    near.once('close', () => far.destroy())
    far.once('close', () => {
      near.destroy()
      pairs.delete(pair)
    })
    if (state === 'open') join(pair)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    set(next) {
      state = next
      for (const pair of pairs) {
        if (next === 'open') join(pair)
        else if (next === 'held') part(pair)
        else pair[0].resetAndDestroy()
      }
    },
    async close() {
      for (const [near] of pairs) near.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function join([near, far]: readonly [Socket, Socket]): void {
  near.pipe(far).pipe(near)
}

function part([near, far]: readonly [Socket, Socket]): void {
  near.unpipe().pause()
  far.unpipe().pause()
}
