import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { callAudience } from '../../core/src/policy/call-token.ts'
import type { CallBody } from '../../core/src/policy/worker-protocol.ts'
import { claimsFor, newSigner, tokenFor, type Signer } from '../../worker/src/dispatch/token.fixture.ts'
import type { StackInfo } from '../stack/info.ts'
import type { Request } from './load.ts'

const READY_MS_MAX = 60_000
const ARGS = { message: 'latest inflation print' }

/** The same command of a warm server of the demo's worker: asked of the worker itself under a token of ours, and by invokeTool. */
export async function workerTool(
  info: StackInfo,
  agentKey: string,
): Promise<{ direct: () => Promise<Request>; invoke: Request }> {
  if (!info.worker) throw new Error('the demo has no tools worker')
  const { url, policyId } = info.worker
  const json = { 'content-type': 'application/json' }
  const invoke = {
    url: info.functions['invokeTool']!,
    headers: { ...json, authorization: `Bearer ${agentKey}` },
    body: JSON.stringify({ data: { name: 'everything__echo', args: ARGS } }),
  }
  await untilReady(invoke)
  const { instanceId } = (await (await fetch(`${url}/healthz`)).json()) as { instanceId: string }
  const signer = await publishedSigner(info)
  return {
    invoke,
    async direct() {
      const body: CallBody = {
        call: randomUUID(),
        server: 'everything',
        command: 'echo',
        arguments: ARGS,
        timeoutMs: 30_000,
      }
      const token = await tokenFor(signer, { ...claimsFor(body), aud: callAudience(policyId, instanceId) })
      return { url: `${url}/call`, headers: { ...json, authorization: `Bearer ${token}` }, body: JSON.stringify(body) }
    },
  }
}

/** It installs its servers when it first starts. */
async function untilReady({ url, headers, body }: Request): Promise<void> {
  for (const end = Date.now() + READY_MS_MAX; ; await sleep(500)) {
    const { ok } = await fetch(url, { method: 'POST', headers, body })
    if (ok) return
    if (Date.now() > end) throw new Error('the tools worker is not ready')
  }
}

/** A key that workers believe, published as the functions publish theirs; the emulator lets its owner write anything. */
async function publishedSigner({ firestore, project }: StackInfo): Promise<Signer> {
  const signer = await newSigner()
  const fields = {
    publicKey: { stringValue: signer.key.publicKey },
    expiresAt: { timestampValue: new Date(Date.now() + 3_600_000).toISOString() },
  }
  const url = `http://${firestore}/v1/projects/${project}/databases/(default)/documents/dispatchKeys?documentId=${signer.key.kid}`
  const { ok, status } = await fetch(url, {
    method: 'POST',
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    body: JSON.stringify({ fields }),
  })
  if (!ok) throw new Error(`the emulator answered ${status}`)
  return signer
}
