import { initializeApp } from 'firebase-admin/app'
import { getAuth } from 'firebase-admin/auth'
import { getFirestore } from 'firebase-admin/firestore'
import { onSchedule } from 'firebase-functions/v2/scheduler'
import { setGlobalOptions } from 'firebase-functions/v2/options'
import { onRequest, type HttpsFunction, type HttpsOptions } from 'firebase-functions/v2/https'
import { REPORT_BYTES_MAX } from '@vitrine/core/limits'
import { ok, type Result } from '@vitrine/core/result'
import { admin as adminOperation } from './api/owner/operations.ts'
import { createBreaker } from './invoke/breaker.ts'
import { checkpointAll } from './proof/checkpoint.ts'
import { credentialOpener } from './kms/credential.ts'
import { createArgsChecker } from './args/check-args.ts'
import { createDispatcher } from './egress/agent.ts'
import { endFloods } from './egress/flood.ts'
import { createLookup } from './egress/lookup.ts'
import { environment } from './environment.ts'
import { exportAudit as exportBundle } from './api/owner/export-audit.ts'
import { httpForward } from './forward/http/http.ts'
import { createLargeAnswers } from './answers/large.ts'
import { mcpConnector } from './forward/mcp/connect.ts'
import { mcpConnections } from './forward/mcp/connections.ts'
import { mcpForward } from './forward/mcp/mcp.ts'
import { workerForward } from './forward/worker/worker.ts'
import { createGate } from './invoke/gate.ts'
import { getToolCredential as readCredential } from './api/agent/get-tool-credential.ts'
import { callable, type Call } from './http/callable.ts'
import { withoutDomains } from './http/no-domains.ts'
import { keepBodiesUnread } from './http/own-body.ts'
import { streamed } from './http/streamed.ts'
import { invoke } from './invoke/invoke.ts'
import { lazyKmsClient } from './kms/client.ts'
import { createSigner } from './kms/signer.ts'
import { createVault } from './kms/vault.ts'
import { createLedgerStore } from './ledger/firestore-store.ts'
import { createLedger } from './ledger/ledger.ts'
import { listTools as list } from './api/agent/list-tools.ts'
import { manifestChecker } from './manifest/check.ts'
import { createManifests } from './manifest/pinned.ts'
import { createLists } from './manifest/lists.ts'
import { createVerdicts } from './manifest/verdict.ts'
import type { Parts } from './parts.ts'
import { getReceipt as readReceipt } from './api/agent/get-receipt.ts'
import { countingAppends, logRequest, startLog } from './lib/log.ts'
import { createReclaim } from './ledger/reclaim.ts'
import { reconcileAll } from './proof/reconcile.ts'
import { RECONNECT } from './lib/reconnect.ts'
import { registerTool as register } from './api/owner/register-tool.ts'
import { createLoad } from './store/load.ts'
import { createFirestoreRpc } from './store/rpc.ts'
import { createPublisher } from './proof/publishers.ts'
import { worker as workerOperation } from './api/worker/operations.ts'
import { createRoutes } from './policies/find.ts'
import { serverLogReader } from './forward/worker/server-log.ts'
import { createCallSigner } from './forward/worker/token.ts'

/** The composition root of the functions: the only place that reads the environment and connects the parts. */

withoutDomains()
keepBodiesUnread()
endFloods()
const env = environment(process.env)
// console.log survives a reader that goes away; a write to stdout does not.
const log = startLog({ level: env.log, project: env.project, write: (text) => console.log(text) })
process.on('exit', log.flush)
const app = initializeApp({ projectId: env.project })
const db = getFirestore(app)
db.settings(RECONNECT)
const kms = lazyKmsClient(env.kmsEmulatorHost)
const vault = createVault(kms, env.kmsKey)
const rpc = createFirestoreRpc({ project: env.project, emulatorHost: env.firestoreEmulatorHost })
const append = countingAppends(createLedger(createLedgerStore(rpc)))
const lookup = createLookup()
const dispatcher = createDispatcher({ policy: env.egress, lookup })

/** The thread's module is next to this file, in the bundle too. */
const answerThread = new URL(
  import.meta.url.endsWith('.ts') ? 'answers/thread.ts' : 'answer-thread.js',
  import.meta.url,
)

const load = createLoad(rpc)
const openCredential = credentialOpener(vault, env.project)
const lists = createLists(load)
const manifests = createManifests()
const connections = mcpConnections(mcpConnector({ dispatcher, egress: env.egress }))
const checkManifest = manifestChecker(connections)
const signCall = createCallSigner(db)

const parts: Parts = {
  db,
  auth: getAuth(app),
  load,
  append,
  reclaim: createReclaim(db, append),
  vault,
  openCredential,
  forward: {
    http: httpForward({ dispatcher, egress: env.egress }),
    mcp: mcpForward(connections),
  },
  largeAnswers: createLargeAnswers({ entry: answerThread }),
  gate: createGate(createBreaker()),
  lists,
  manifests,
  verdicts: createVerdicts({ db, append, openCredential, checkManifest, lists, manifests }),
  checkArgs: createArgsChecker(),
  dispatcher,
  project: env.project,
  egress: env.egress,
  lookup,
  reconcileAfterMs: env.reconcileAfterMs,
  signer: createSigner(kms, env.signingKey),
  publisher: createPublisher(env, dispatcher),
  witnesses: env.witnesses,
  secretEnv: env.secretEnv,
  routes: createRoutes(env.project, lists),
  forwardToWorker: workerForward({ dispatcher, sign: signCall }),
  readServerLog: serverLogReader({ dispatcher, sign: signCall }),
}

setGlobalOptions({ region: 'us-central1', concurrency: 80, memory: '512MiB', cpu: 1, invoker: 'public' })

/** One function under its service account: `vitrine-register` may only encrypt, `vitrine-dispatch` only decrypt. */
function serve(
  name: string,
  serviceAccount: string,
  operation: (parts: Parts, call: Call) => Promise<Result<object>>,
  { bytesMax, ...options }: HttpsOptions & { bytesMax?: number } = {},
): HttpsFunction {
  return onRequest(
    { cors: true, serviceAccount: `${serviceAccount}@`, ...options },
    callable(name, (call) => operation(parts, call), bytesMax),
  )
}

export const registerTool = serve('registerTool', 'vitrine-register', register)
export const listTools = serve('listTools', 'vitrine-read', list)
// The timeout exceeds the longest deadline of a call plus the time to record it. The memory holds a large answer for
// every call under way, and the parsing of the heaviest one (answers/json-weight.ts).
export const invokeTool = serve('invokeTool', 'vitrine-dispatch', invoke, {
  timeoutSeconds: 90,
  memory: '2GiB',
  concurrency: 40,
})
export const getToolCredential = serve('getToolCredential', 'vitrine-dispatch', readCredential)
export const getReceipt = serve('getReceipt', 'vitrine-read', readReceipt)
/** An export may be long and its reader slow; each export keeps one page of segments in memory. */
export const exportAudit = onRequest(
  { cors: true, serviceAccount: 'vitrine-read@', timeoutSeconds: 3600, concurrency: 10 },
  streamed('exportAudit', 'application/jsonl; charset=utf-8', (call) => exportBundle(parts, call)),
)
export const admin = serve('admin', 'vitrine-admin', adminOperation)

/**
 * For tools workers, by their connector key. It neither encrypts nor decrypts: secrets pass through as they are stored.
 */
export const worker = serve('worker', 'vitrine-connect', workerOperation, { bytesMax: REPORT_BYTES_MAX })

/** Closes the calls of processes that died. Idempotent, and safe to run in parallel, with itself too. */
export const reconcile = onSchedule(
  { schedule: 'every 5 minutes', serviceAccount: 'vitrine-audit@', timeoutSeconds: 300 },
  () => logRequest('reconcile', {}, async () => ok(await reconcileAll(parts))),
)

/** Signs the heads of chains that grew. Idempotent, and safe to run in parallel, with itself too. */
export const checkpoint = onSchedule(
  { schedule: 'every 15 minutes', serviceAccount: 'vitrine-audit@', timeoutSeconds: 900 },
  () => logRequest('checkpoint', {}, async () => ok(await checkpointAll(parts))),
)
