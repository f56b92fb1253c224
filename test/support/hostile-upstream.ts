import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { makeBombs } from './hostile-bombs.ts'
import { httpBehaviours } from './hostile-http.ts'
import { mcpBehaviours } from './hostile-mcp.ts'

/**
 * An upstream that does what an upstream must not do, byte by byte on raw sockets. Each misbehaviour has a path, listed
 * in hostile-http.ts and hostile-mcp.ts; `/healthy` answers correctly.
 */
export interface HostileUpstream {
  /** Without a slash at the end: `${url}/slow-body`. */
  url: string
  /** A listener on another origin, to which `/redirect-elsewhere` and others point. */
  elsewhere: string
  /** Requests as they arrived, on either origin. */
  seen: SeenRequest[]
  paths: { http: string[]; mcp: string[] }
  /** Open connections, on either origin. */
  openSockets(): number
  close(): Promise<void>
}

export interface SeenRequest {
  origin: 'here' | 'elsewhere'
  method: string
  /** Path and query. */
  target: string
  /** Names in lower case. */
  headers: Record<string, string>
  body: string
}

/** The tools of a behaviour, available once the head of a request has arrived. */
export interface Talk {
  request: SeenRequest
  socket: Socket
  elsewhere: string
  bombs: Record<string, Buffer>
  /** The request's body, once it has arrived. */
  body: Promise<string>
  send(...parts: (string | Uint8Array)[]): void
  /** Calls `act` every so many milliseconds until the connection ends. */
  every(ms: number, act: (turn: number) => void): void
  /** Sends a chunk over and over, as fast as the peer reads, until the connection ends. */
  flood(chunk: string | Uint8Array): void
}

export type Behaviour = (talk: Talk) => void | Promise<void>

export async function startHostileUpstream(): Promise<HostileUpstream> {
  const seen: SeenRequest[] = []
  const sockets = new Set<Socket>()
  const bombs = await makeBombs()
  const table: Record<string, Behaviour> = { ...httpBehaviours, ...mcpBehaviours }

  const other = await listen(sockets, (socket) =>
    converse(socket, 'elsewhere', seen, (talk) => table['/healthy']!({ ...talk, bombs, elsewhere: '' })),
  )
  const elsewhere = `http://127.0.0.1:${portOf(other)}`
  const server = await listen(sockets, (socket) =>
    converse(socket, 'here', seen, (talk) => {
      const path = talk.request.target.split('?', 1)[0]!
      const behaviour = Object.hasOwn(table, path) ? table[path] : undefined
      if (behaviour) return behaviour({ ...talk, bombs, elsewhere })
      talk.send('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
    }),
  )
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    elsewhere,
    seen,
    paths: { http: Object.keys(httpBehaviours), mcp: Object.keys(mcpBehaviours) },
    openSockets: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await Promise.all([server, other].map((listener) => new Promise((resolve) => listener.close(resolve))))
    },
  }
}

/** Half-open connections stay open, so that a behaviour can decide what happens to them. */
async function listen(sockets: Set<Socket>, onSocket: (socket: Socket) => void): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: net.Server): number {
  return (server.address() as AddressInfo).port
}

/** Reads requests from a connection, one after the other, and answers each as soon as its head has arrived. */
function converse(
  socket: Socket,
  origin: SeenRequest['origin'],
  seen: SeenRequest[],
  answer: (talk: Omit<Talk, 'bombs' | 'elsewhere'>) => void | Promise<void>,
): void {
  let buffered = Buffer.alloc(0)
  let pending: { request: SeenRequest; bytes: number; done: (body: string) => void } | null = null
  const timers = new Set<NodeJS.Timeout>()
  socket.on('close', () => timers.forEach(clearInterval))
  socket.on('data', (chunk) => {
    buffered = Buffer.concat([buffered, chunk])
    for (;;) {
      if (pending) {
        if (buffered.length < pending.bytes) return
        pending.request.body = buffered.subarray(0, pending.bytes).toString()
        buffered = buffered.subarray(pending.bytes)
        pending.done(pending.request.body)
        pending = null
      }
      const end = buffered.indexOf('\r\n\r\n')
      if (end === -1) return
      const request = readHead(origin, buffered.subarray(0, end).toString('latin1'))
      buffered = buffered.subarray(end + 4)
      seen.push(request)
      const { promise: body, resolve: done } = Promise.withResolvers<string>()
      pending = { request, bytes: Number(request.headers['content-length'] ?? 0), done }
      void answer({ request, socket, body, ...speech(socket, timers) })
    }
  })
  socket.on('end', () => socket.destroy())
}

function readHead(origin: SeenRequest['origin'], head: string): SeenRequest {
  const [first = '', ...lines] = head.split('\r\n')
  const [method = '', target = ''] = first.split(' ')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { origin, method, target, headers, body: '' }
}

function speech(socket: Socket, timers: Set<NodeJS.Timeout>): Pick<Talk, 'send' | 'every' | 'flood'> {
  const send = (...parts: (string | Uint8Array)[]) => {
    for (const part of parts) if (socket.writable) socket.write(part)
  }
  return {
    send,
    every: (ms, act) => {
      let turn = 0
      timers.add(setInterval(() => act(turn++), ms))
    },
    flood: (chunk) => {
      const fill = () => {
        while (socket.writable && socket.write(chunk));
      }
      socket.on('drain', fill)
      fill()
    },
  }
}
