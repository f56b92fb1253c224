import { once } from 'node:events'
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { stack } from '../stack/stack.ts'

/**
 * The Firestore emulator over a bad connection. The proxy speaks gRPC (HTTP/2) and passes every call on, apart from the
 * faults that a test sets for a method's name, such as `Commit`.
 */
export interface FirestoreProxy {
  /** host:port for FIRESTORE_EMULATOR_HOST. */
  host: string
  /** Sets the fault for the calls of a method from now on; `nth` counts them from 0. */
  fault(method: string, of: (nth: number) => Fault | undefined): void
  close(): Promise<void>
}

export type Fault =
  /** The call does not reach the emulator; the caller gets UNAVAILABLE. */
  | 'lost'
  /** The call takes effect, but the caller gets UNAVAILABLE. */
  | 'unacknowledged'
  /** The call takes effect, but the connection breaks before an answer. */
  | 'cut'
  /** The call does not reach the emulator; the caller gets this gRPC status. */
  | { status: number }
  /** The call reaches the emulator when this resolves. */
  | { before: Promise<unknown> }
  /** The call takes effect, and the caller gets the answer when this resolves. */
  | { after: Promise<unknown> }

const UNAVAILABLE = 14

export async function startFirestoreProxy(): Promise<FirestoreProxy> {
  const faults = new Map<string, () => Fault | undefined>()
  const sessions = new Set<ServerHttp2Session>()
  const emulator: ClientHttp2Session = connect(`http://${stack().firestore}`)
  const server = createServer()
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    const fault = faults.get(String(headers[':path']).split('/').at(-1)!)?.()
    if (fault === undefined) pass(emulator, stream, headers)
    else if (typeof fault === 'object' && 'before' in fault)
      void fault.before.then(() => pass(emulator, stream, headers))
    else if (typeof fault === 'object' && 'after' in fault) pass(emulator, stream, headers, fault.after)
    else if (fault === 'unacknowledged') pass(emulator, stream, headers, () => refuse(stream, UNAVAILABLE))
    else if (fault === 'cut') pass(emulator, stream, headers, () => stream.session?.destroy())
    else refuse(stream, fault === 'lost' ? UNAVAILABLE : fault.status)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault(method, of) {
      let nth = 0
      faults.set(method, () => of(nth++))
    },
    async close() {
      for (const session of sessions) session.destroy()
      emulator.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/**
 * Passes one call on. `answer` replaces the emulator's answer once that has arrived whole, or delays it until it
 * resolves.
 */
function pass(
  emulator: ClientHttp2Session,
  stream: ServerHttp2Stream,
  { ...headers }: IncomingHttpHeaders,
  answer?: (() => void) | Promise<unknown>,
): void {
  if (stream.destroyed) return
  const onward = emulator.request({ ...headers, ':authority': stack().firestore })
  onward.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
  stream.once('close', () => onward.close())
  stream.pipe(onward)
  if (typeof answer === 'function') {
    onward.resume().once('end', answer)
    return
  }
  let trailers: IncomingHttpHeaders = {}
  onward.once('trailers', (given: IncomingHttpHeaders) => (trailers = given))
  onward.once('response', ({ ':status': status, ...rest }, flags) => {
    void Promise.resolve(answer).then(() => {
      if (stream.destroyed) return
      const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
      stream.respond({ ':status': status, ...rest }, { waitForTrailers: !endStream, endStream })
      if (endStream) return
      stream.once('wantTrailers', () => stream.sendTrailers(trailers))
      onward.pipe(stream)
    })
  })
}

function refuse(stream: ServerHttp2Stream, status: number): void {
  if (stream.destroyed) return
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status), 'grpc-message': 'on purpose' },
    { endStream: true },
  )
}
