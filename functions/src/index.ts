import { setGlobalOptions } from 'firebase-functions/v2/options'
import { onRequest, type HttpsFunction, type HttpsOptions } from 'firebase-functions/v2/https'
import { onSchedule } from 'firebase-functions/v2/scheduler'
import { REPORT_BYTES_MAX } from '@vitrine/core/limits'
import { ok, type Result } from '@vitrine/core/result'
import { environment } from './environment.ts'
import { callable, type Call } from './http/callable.ts'
import { withoutDomains } from './http/no-domains.ts'
import { keepBodiesUnread } from './http/own-body.ts'
import { streamed } from './http/streamed.ts'
import { shared } from './lib/shared.ts'
import { logRequest, startLog } from './lib/log.ts'
import type { Parts } from './parts.ts'

/**
 * The composition root of the functions: the only place that reads the environment, and says which functions there are.
 * It loads little. What a function needs comes with its first request, or at once in an instance that serves this
 * function alone; compose.ts connects it.
 */

withoutDomains()
keepBodiesUnread()
const env = environment(process.env)
// console.log survives a reader that goes away; a write to stdout does not.
const log = startLog({ level: env.log, project: env.project, write: (text) => console.log(text) })
process.on('exit', log.flush)

/** The thread's module is next to this file, in the bundle too. */
const answerThread = new URL(
  import.meta.url.endsWith('.ts') ? 'answers/thread.ts' : 'answer-thread.js',
  import.meta.url,
)

const parts = shared(async () => (await import('./compose.ts')).compose(env, answerThread))

setGlobalOptions({ region: 'us-central1', concurrency: 80, memory: '512MiB', cpu: 1, invoker: 'public' })

/** One function under its service account: `vitrine-register` may only encrypt, `vitrine-dispatch` only decrypt. */
function serve(
  name: string,
  serviceAccount: string,
  load: () => Promise<(parts: Parts, call: Call) => Promise<Result<object>>>,
  { bytesMax, ...options }: HttpsOptions & { bytesMax?: number } = {},
): HttpsFunction {
  const run = prepared(name, load)
  return onRequest({ cors: true, serviceAccount: `${serviceAccount}@`, ...options }, callable(name, run, bytesMax))
}

/** Runs a function's own code with its parts, both of which are loaded once. */
function prepared<Args extends unknown[], Answer>(
  name: string,
  load: () => Promise<(parts: Parts, ...args: Args) => Promise<Answer>>,
): (...args: Args) => Promise<Answer> {
  const ready = shared(() => Promise.all([load(), parts()]))
  // What fails here fails again, and is answered and logged, with the first request.
  if (env.functionTarget === name) ready().catch(() => undefined)
  return async (...args) => {
    const [run, made] = await ready()
    return run(made, ...args)
  }
}

export const registerTool = serve(
  'registerTool',
  'vitrine-register',
  async () => (await import('./api/owner/register-tool.ts')).registerTool,
)
export const listTools = serve(
  'listTools',
  'vitrine-read',
  async () => (await import('./api/agent/list-tools.ts')).listTools,
)
// The timeout exceeds the longest deadline of a call plus the time to record it. The memory holds a large answer for
// every call under way, and the parsing of the heaviest one (answers/json-weight.ts).
export const invokeTool = serve(
  'invokeTool',
  'vitrine-dispatch',
  async () => (await import('./invoke/invoke.ts')).invoke,
  {
    timeoutSeconds: 90,
    memory: '2GiB',
    concurrency: 40,
  },
)
export const getToolCredential = serve(
  'getToolCredential',
  'vitrine-dispatch',
  async () => (await import('./api/agent/get-tool-credential.ts')).getToolCredential,
)
export const getReceipt = serve(
  'getReceipt',
  'vitrine-read',
  async () => (await import('./api/agent/get-receipt.ts')).getReceipt,
)
/** An export may be long and its reader slow; each export keeps one page of segments in memory. */
export const exportAudit = onRequest(
  { cors: true, serviceAccount: 'vitrine-read@', timeoutSeconds: 3600, concurrency: 10 },
  streamed(
    'exportAudit',
    'application/jsonl; charset=utf-8',
    prepared('exportAudit', async () => (await import('./api/owner/export-audit.ts')).exportAudit),
  ),
)
export const admin = serve('admin', 'vitrine-admin', async () => (await import('./api/owner/operations.ts')).admin)

/**
 * For tools workers, by their connector key. It neither encrypts nor decrypts: secrets pass through as they are stored.
 */
export const worker = serve(
  'worker',
  'vitrine-connect',
  async () => (await import('./api/worker/operations.ts')).worker,
  { bytesMax: REPORT_BYTES_MAX },
)

const reconcileAll = prepared('reconcile', async () => (await import('./proof/reconcile.ts')).reconcileAll)

/** Closes the calls of processes that died. Idempotent, and safe to run in parallel, with itself too. */
export const reconcile = onSchedule(
  { schedule: 'every 5 minutes', serviceAccount: 'vitrine-audit@', timeoutSeconds: 300 },
  () => logRequest('reconcile', {}, async () => ok(await reconcileAll())),
)

const checkpointAll = prepared('checkpoint', async () => (await import('./proof/checkpoint.ts')).checkpointAll)

/** Signs the heads of chains that grew. Idempotent, and safe to run in parallel, with itself too. */
export const checkpoint = onSchedule(
  { schedule: 'every 15 minutes', serviceAccount: 'vitrine-audit@', timeoutSeconds: 900 },
  () => logRequest('checkpoint', {}, async () => ok(await checkpointAll())),
)
