import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { onTestFinished } from 'vitest'
import { localKmsClient } from './client.ts'
import { ensureKeys, type VitrineKeys } from './ensure-keys.ts'
import { startKms } from './server.ts'

export const PROJECT = 'demo-kms-test'
export const LOCATION = `projects/${PROJECT}/locations/us-central1`

export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'vitrine-kms-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** A KMS on a free port, with the official client, for the length of one test. */
export async function running(dir: string) {
  const kms = await startKms({ dir, host: '127.0.0.1', port: 0 })
  const client = localKmsClient(kms.host)
  const stop = async () => {
    await client.close()
    await kms.stop()
  }
  onTestFinished(stop)
  return { client, host: kms.host, stop }
}

/** The same, empty but for Vitrine's keys. */
export async function runningWithKeys() {
  const dir = await tempDir()
  const kms = await running(dir)
  const keys: VitrineKeys = await ensureKeys(kms.client, PROJECT)
  return { ...kms, dir, ...keys }
}

/** How a call fails: the name of its gRPC code and its text; or that it did not. */
export async function failure(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await call
  } catch (error) {
    const { code, details } = error as { code: number; details: string }
    return { code: status[code] ?? `not gRPC: ${String(error)}`, message: details }
  }
  return { code: 'OK', message: '' }
}

/** The same for calls already on their way: all are awaited at once, so that none is left unhandled. */
export function failures(calls: Promise<unknown>[]): Promise<{ code: string; message: string }[]> {
  return Promise.all(calls.map(failure))
}
