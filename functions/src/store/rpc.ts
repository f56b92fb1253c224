import { setTimeout as sleep } from 'node:timers/promises'
import type { protos } from '@google-cloud/firestore-api'
import type * as Gax from 'google-gax'
import type { grpc } from 'google-gax'
import type { Timestamp } from 'firebase-admin/firestore'
import { RECONNECT } from '../lib/reconnect.ts'
import { shared } from '../lib/shared.ts'
import { decodeFields, encodeFields, encodeUpdate, timeOf, wireTime } from './codec.ts'

/**
 * What calls of tools ask of Firestore, by the stub of its generated client. The layers that the high-level client puts
 * above the stub cost more than the request itself (docs/design.md section 3 counts the requests).
 */
export interface FirestoreRpc {
  /** The documents of these paths that exist, in one request. */
  get(paths: readonly string[]): Promise<Map<string, Found>>
  /** The document of a collection with the largest `field`. */
  last(collection: string, field: string): Promise<Found | undefined>
  /** Writes everything or nothing, and does not repeat it. Throws TypeError for data that Firestore cannot hold. */
  commit(writes: readonly DocumentWrite[]): Promise<void>
}

/** A document. `data` is shared by all who asked for it together: don't change it. */
export interface Found {
  data: Record<string, unknown>
  updateTime: Timestamp
}

/** With a version, the write fails unless that is still the document's `updateTime`. */
export type DocumentWrite =
  | { op: 'create' | 'set'; path: string; data: object }
  /** Keys of `data` are field paths (codec.ts). Fails where there is no document. */
  | { op: 'update'; path: string; data: object; version?: Timestamp | undefined }
  | { op: 'delete'; path: string; version?: Timestamp | undefined }

export interface RpcOptions {
  project: string
  /** host:port of an emulator that replaces Firestore. */
  emulatorHost: string | undefined
}

/**
 * How long one request may take with its repetitions. Firestore's own client would retry for ten minutes, and all calls
 * that share the read would wait.
 */
const REQUEST_MS_MAX = 10_000
/** After these a read is repeated: RESOURCE_EXHAUSTED, INTERNAL and UNAVAILABLE, as Firestore's own client has it. */
const REPEATED = new Set([8, 13, 14])
const PAUSE_MS_MIN = 20
const PAUSE_MS_MAX = 1_000

/** The connection is made by the first request. Requests throw with gRPC's status as `code`. */
export function createFirestoreRpc({ project, emulatorHost }: RpcOptions): FirestoreRpc {
  const database = `projects/${project}/databases/(default)`
  const root = `${database}/documents/`
  const connection = shared(() => connect(database, emulatorHost))

  return {
    async get(paths) {
      const documents = paths.map((path) => root + path)
      const answers = await repeated(async (deadline) => {
        const { stub, metadata } = await connection()
        return all(stub.batchGetDocuments({ database, documents }, metadata('database', database), { deadline }))
      })
      return new Map(
        answers.flatMap(({ found }) => (found ? [[found.name!.slice(root.length), foundOf(found)] as const] : [])),
      )
    },

    async last(collection, field) {
      const at = collection.lastIndexOf('/')
      const parent = root + collection.slice(0, at)
      const structuredQuery = {
        from: [{ collectionId: collection.slice(at + 1) }],
        orderBy: [{ field: { fieldPath: field }, direction: 'DESCENDING' as const }],
        limit: { value: 1 },
      }
      const answers = await repeated(async (deadline) => {
        const { stub, metadata } = await connection()
        return all(stub.runQuery({ parent, structuredQuery }, metadata('parent', parent), { deadline }))
      })
      const document = answers.find((answer) => answer.document)?.document
      return document ? foundOf(document) : undefined
    },

    async commit(writes) {
      const request = { database, writes: writes.map((write) => wireWrite(root + write.path, write)) }
      const { stub, metadata } = await connection()
      await new Promise<void>((resolve, reject) => {
        const deadline = Date.now() + REQUEST_MS_MAX
        stub.commit(request, metadata('database', database), { deadline }, (error) =>
          error ? reject(error) : resolve(),
        )
      })
    },
  }
}

interface Connection {
  stub: Stub
  /** The headers of a request. `routed` is its field that Google's front ends route it by. */
  metadata(routed: 'database' | 'parent', value: string): grpc.Metadata
}

async function connect(database: string, emulatorHost: string | undefined): Promise<Connection> {
  const [{ FirestoreClient }, gax] = await Promise.all([
    import('@google-cloud/firestore-api/client_v1'),
    import('google-gax'),
  ])
  const client = new FirestoreClient({
    ...RECONNECT,
    fallback: false,
    ...(emulatorHost && emulatorAt(emulatorHost, gax)),
  })
  const stub = (await client.initialize()) as unknown as Stub
  return {
    stub,
    metadata(routed, value) {
      const metadata = new gax.grpc.Metadata()
      metadata.set('google-cloud-resource-prefix', database)
      metadata.set('x-goog-request-params', gax.routingHeader.fromParams({ [routed]: value }))
      // What the emulator takes for an administrator's.
      if (emulatorHost) metadata.set('authorization', 'Bearer owner')
      return metadata
    },
  }
}

function emulatorAt(host: string, { grpc: { credentials } }: Pick<typeof Gax, 'grpc'>) {
  const { hostname, port } = new URL(`http://${host}`)
  // Without the domain, the client asks for the machine's Google credentials only to learn it.
  const clientOptions = { universeDomain: 'googleapis.com' }
  return { servicePath: hostname, port: Number(port), sslCreds: credentials.createInsecure(), clientOptions }
}

/** Runs a read until it succeeds, fails for good, or its time is up. */
async function repeated<T>(read: (deadlineMs: number) => Promise<T>): Promise<T> {
  const deadlineMs = Date.now() + REQUEST_MS_MAX
  for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
    try {
      return await read(deadlineMs)
    } catch (error) {
      const { code } = error as { code?: number }
      if (!REPEATED.has(code ?? -1) || Date.now() + pauseMs > deadlineMs) throw error
      await sleep(pauseMs)
    }
  }
}

function all<T>(stream: Answers<T>): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const answers: T[] = []
    stream.on('data', (answer: T) => answers.push(answer))
    stream.on('error', reject)
    stream.on('end', () => resolve(answers))
  })
}

function foundOf({ fields, updateTime }: Document): Found {
  return { data: decodeFields(fields), updateTime: timeOf(updateTime!) }
}

function wireWrite(name: string, write: DocumentWrite): WireWrite {
  switch (write.op) {
    case 'create':
      return { update: { name, fields: encodeFields(write.data) }, currentDocument: { exists: false } }
    case 'set':
      return { update: { name, fields: encodeFields(write.data) } }
    case 'update': {
      const { fields, fieldPaths } = encodeUpdate(write.data)
      return { update: { name, fields }, updateMask: { fieldPaths }, currentDocument: unchanged(write.version, true) }
    }
    case 'delete':
      return { delete: name, ...(write.version && { currentDocument: unchanged(write.version) }) }
  }
}

function unchanged(version: Timestamp | undefined, exists = false): Precondition {
  return version ? { updateTime: wireTime(version) } : { exists }
}

type Document = protos.google.firestore.v1.IDocument
type WireWrite = protos.google.firestore.v1.IWrite
type Precondition = protos.google.firestore.v1.IPrecondition

/** The methods of the stub (google.firestore.v1.Firestore) that are used here. */
interface Stub {
  batchGetDocuments: Streamed<
    protos.google.firestore.v1.IBatchGetDocumentsRequest,
    protos.google.firestore.v1.IBatchGetDocumentsResponse
  >
  runQuery: Streamed<protos.google.firestore.v1.IRunQueryRequest, protos.google.firestore.v1.IRunQueryResponse>
  commit(
    request: protos.google.firestore.v1.ICommitRequest,
    metadata: grpc.Metadata,
    options: { deadline: number },
    done: (error: Error | null) => void,
  ): unknown
}

type Streamed<Request, Answer> = (
  request: Request,
  metadata: grpc.Metadata,
  options: { deadline: number },
) => Answers<Answer>

type Answers<T> = Pick<grpc.ClientReadableStream<T>, 'on'>
