import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Says who uses which folder of packages: `{cacheDir}/uses/{folder}/{user}` is an empty file whose time of change is when
 * the use ends. All workers of a cache write there, also those of other policies and machines, so none needs to know
 * another. Where the cache cannot be written, nothing is.
 */
export interface Uses {
  /** A use that is there already ends at the new time. */
  add(folder: string, user: string, untilMs: number): Promise<void>
  end(folder: string, user: string): Promise<void>
  /** Whether somebody uses the folder, or nobody has ever said so. Uses that have ended are removed. */
  isUsed(folder: string, nowMs: number): Promise<boolean | 'unknown'>
  /** Forgets the folder. */
  forget(folder: string): Promise<void>
}

export function usesIn(cacheDir: string): Uses {
  const of = (folder: string, user = '') => join(cacheDir, 'uses', folder, user)
  return {
    async add(folder, user, untilMs) {
      try {
        await mkdir(of(folder), { recursive: true })
        await writeFile(of(folder, user), '')
        await utimes(of(folder, user), untilMs / 1000, untilMs / 1000)
      } catch {
        // It belongs to an image, or is full.
      }
    },
    end: (folder, user) => rm(of(folder, user), { force: true }),
    async isUsed(folder, nowMs) {
      const users = await readdir(of(folder)).catch(() => null)
      if (users === null) return 'unknown'
      let used = false
      for (const user of users) {
        const ends = (await stat(of(folder, user)).catch(() => null))?.mtimeMs ?? 0
        if (ends > nowMs) used = true
        else await rm(of(folder, user), { force: true })
      }
      return used
    },
    forget: (folder) => rm(of(folder), { recursive: true, force: true }),
  }
}
