import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import { cryptographicMethods } from './cryptographic-methods.ts'
import { keyMethods } from './key-methods.ts'
import { openKeyStore } from './key-store.ts'
import { isDemoProject, refusal } from './names.ts'
import { isKmsError } from './status.ts'
import { versionMethods } from './version-methods.ts'

export interface KmsOptions {
  /** Where the keys are kept; made when missing. One running KMS a directory. */
  dir: string
  /** A loopback address: there is no authentication and no TLS. */
  host: '127.0.0.1' | 'localhost'
  /** 0 takes a free one. */
  port: number
  /** The project that it is started for, when known: refused at once unless it is `demo-*`. Requests are checked one by one anyway. */
  project?: string
}

export interface RunningKms {
  /** `host:port`. */
  host: string
  /** Ends open calls and frees the port. */
  stop(): Promise<void>
}

/** How long stop() lets open calls finish. */
const STOP_GRACE_MS = 500

/**
 * Serves google.cloud.kms.v1.KeyManagementService for development, with keys in a file: what `@google-cloud/kms` calls, with production's
 * codes and checksums. Methods that are not here answer UNIMPLEMENTED.
 * Errors: of one line each, for a project that is not `demo-*`, a damaged key file, and a port in use (`code` EADDRINUSE).
 */
export async function startKms({ dir, host, port, project }: KmsOptions): Promise<RunningKms> {
  if (project !== undefined && !isDemoProject(project)) throw new Error(refusal(project))
  await requireFreePort(host, port)
  const store = openKeyStore(dir, new Date())
  const now = () => new Date()
  const methods = { ...keyMethods(store, now), ...versionMethods(store, now), ...cryptographicMethods(store) }
  const server = new Server()
  const handlers = Object.entries(methods).map(([name, method]) => [name, unary(name, method as Method)])
  server.addService(loadService(), Object.fromEntries(handlers))
  const bound = await bind(server, host, port)
  return { host: `${host}:${bound}`, stop: () => stop(server) }
}

type Method = (request: unknown) => object

function unary(name: string, method: Method) {
  return (call: ServerUnaryCall<unknown, object>, callback: sendUnaryData<object>) => {
    let answer: object
    try {
      answer = method(call.request)
    } catch (error) {
      if (!isKmsError(error)) console.error(`Local KMS: ${name} failed:`, error)
      callback(isKmsError(error) ? error : { code: status.INTERNAL, details: 'The local KMS failed; see its output.' })
      return
    }
    callback(null, answer)
  }
}

/** The definitions that the official client ships, so that both sides always speak the same version. */
function loadService(): ServiceDefinition {
  const require = createRequire(import.meta.url)
  const json = require('@google-cloud/kms/build/protos/protos.json') as Parameters<typeof fromJSON>[0]
  // messages.ts describes what these options make of a request.
  const definitions = fromJSON(json, { longs: Number, enums: String, defaults: true })
  return definitions['google.cloud.kms.v1.KeyManagementService'] as ServiceDefinition
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
}

/** Asked before gRPC binds, because that prints lines of its own when it fails, and keeps the reason to itself. */
async function requireFreePort(host: string, port: number): Promise<void> {
  const probe = createServer().listen(port, host)
  try {
    await once(probe, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    const message = `Port ${port} on ${host} is in use. Stop what listens there, or choose another port.`
    throw Object.assign(new Error(message), { code: 'EADDRINUSE' })
  }
  probe.close()
  await once(probe, 'close')
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.forceShutdown(), STOP_GRACE_MS)
    server.tryShutdown(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
