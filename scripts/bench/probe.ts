import { channel } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { Session } from 'node:inspector/promises'
import { GrpcClient } from 'google-gax'

/**
 * Loaded into the functions process before anything else (`--import`): counts what leaves it over gRPC, the way it is
 * billed, and adds up the steps that invoke.ts publishes. `GET /` answers the counts since the last `GET`.
 */
export interface Counts {
  reads: number
  writes: number
  deletes: number
  kms: number
  commits: number
  /** Milliseconds of all invocations together, by step. */
  stepsMs: Record<string, number>
  invocations: number
  /** CPU time of the process, microseconds. */
  cpuUs: number
}

type Stub = Record<string, (request: { writes?: { delete?: unknown }[] }, ...rest: unknown[]) => Stream>
interface Stream {
  on(event: 'data', listener: (message: { found?: unknown; missing?: unknown; document?: unknown }) => void): unknown
}

let counts = fresh()
let cpu = process.cpuUsage()

function fresh(): Counts {
  return { reads: 0, writes: 0, deletes: 0, kms: 0, commits: 0, stepsMs: {}, invocations: 0, cpuUs: 0 }
}

/** What is counted when a method of a client is called, before the call and on its stream. */
const COUNTED: Record<string, (request: Parameters<Stub[string]>[0], stream: Stream) => void> = {
  commit({ writes = [] }) {
    const deletes = writes.filter((write) => write.delete).length
    counts.commits++
    counts.deletes += deletes
    counts.writes += writes.length - deletes
  },
  batchGetDocuments: (_, stream) => countReads(stream),
  runQuery: (_, stream) => countReads(stream),
  decrypt: () => void counts.kms++,
  encrypt: () => void counts.kms++,
}

/** A document that does not exist is billed as a read too. */
function countReads(stream: Stream): void {
  stream.on('data', ({ found, missing, document }) => (counts.reads += found || missing || document ? 1 : 0))
}

// Every Google client gets its gRPC stub here.
const { createStub } = GrpcClient.prototype
GrpcClient.prototype.createStub = async function (...args) {
  const stub = (await createStub.apply(this, args)) as unknown as Stub
  for (const [name, count] of Object.entries(COUNTED)) {
    const method = stub[name]
    if (!method) continue
    stub[name] = (request, ...rest) => {
      const stream = method.call(stub, request, ...rest)
      count(request, stream)
      return stream
    }
  }
  return stub as never
}

channel('vitrine:lap').subscribe((message) => {
  const { step, ms } = message as { step: string; ms: number }
  counts.stepsMs[step] = (counts.stepsMs[step] ?? 0) + ms
  if (step === 'settle') counts.invocations++
})

const inspector = new Session()

/** `POST /profile` starts a CPU profile, `DELETE /profile` ends and answers it. */
async function profile(method: string | undefined): Promise<unknown> {
  if (method === 'POST') {
    inspector.connect()
    await inspector.post('Profiler.enable')
    return inspector.post('Profiler.start')
  }
  const { profile } = await inspector.post('Profiler.stop')
  inspector.disconnect()
  return profile
}

createServer((request, response) => {
  if (request.url === '/profile') {
    void profile(request.method).then((answer) => response.end(JSON.stringify(answer ?? null)))
    return
  }
  const { user, system } = process.cpuUsage(cpu)
  response.end(JSON.stringify({ ...counts, cpuUs: user + system }))
  counts = fresh()
  cpu = process.cpuUsage()
})
  .listen(Number(process.env['BENCH_PROBE_PORT']), '127.0.0.1')
  .unref()
