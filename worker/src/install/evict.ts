import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Places } from './cache.ts'
import { withLock } from './lock.ts'
import type { Uses } from './uses.ts'

/** Removes the packages that no policy uses. */

const HOUR_MS = 3_600_000
/** A worker says again what it runs long before this is over. */
export const RUN_MS = HOUR_MS
/** What a policy pins stays while its workers are stopped. */
export const PINNED_MS = 30 * 24 * HOUR_MS
/** No installation takes that long: whoever made it has died. */
const INSTALLING_MS = HOUR_MS

/** Whoever says what a cache is used for. */
export interface Keeper {
  places: Places
  uses: Uses
  /** This worker's name among the users, and its policy's. */
  worker: string
  policy: string
  signal: AbortSignal
}

/**
 * Removes the folders that nobody uses: neither this policy, for which `kept` are all that it pins or runs, nor anybody
 * else who said so. A folder of which nobody ever said anything has a policy's time left, since older workers did not.
 */
export async function evict(
  { places, uses, worker, policy, signal }: Keeper,
  kept: ReadonlySet<string>,
): Promise<void> {
  const nowMs = Date.now()
  for (const folder of await readdir(places.packages)) {
    if (signal.aborted) return
    if (kept.has(folder)) {
      await uses.add(folder, policy, nowMs + PINNED_MS)
      await uses.add(folder, worker, nowMs + RUN_MS)
      continue
    }
    await uses.end(folder, policy)
    const used = await uses.isUsed(folder, nowMs)
    if (used === 'unknown') await uses.add(folder, 'found', nowMs + PINNED_MS)
    else if (!used) await remove(folder, places, uses, signal)
  }
  await removeAbandoned(places.installing, nowMs)
}

/**
 * A worker says that it uses a folder before it looks into it. So either it has found the folder gone, or its word is
 * there once the folder has been moved, and it is moved back.
 */
async function remove(folder: string, places: Places, uses: Uses, signal: AbortSignal): Promise<void> {
  const [from, aside] = [join(places.packages, folder), join(places.installing, `evicted-${folder}`)]
  for (const parent of [places.locks, places.installing]) await mkdir(parent, { recursive: true })
  await withLock(join(places.locks, folder), signal, async () => {
    await rename(from, aside)
    if ((await uses.isUsed(folder, Date.now())) === true) return rename(aside, from)
    await uses.forget(folder)
    await rm(aside, { recursive: true, force: true })
  })
}

async function removeAbandoned(installing: string, nowMs: number): Promise<void> {
  for (const name of await readdir(installing).catch(() => [])) {
    const path = join(installing, name)
    const changedMs = (await stat(path).catch(() => null))?.mtimeMs ?? nowMs
    if (changedMs < nowMs - INSTALLING_MS) await rm(path, { recursive: true, force: true })
  }
}
