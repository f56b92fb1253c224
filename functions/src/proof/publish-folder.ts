import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Publisher } from './parts.ts'

/** Publishes to a local folder instead of a bucket, for demo projects. */
export function createFolderPublisher(dir: string): Publisher {
  return {
    async keep(origin, size, note) {
      const path = join(dir, origin, String(size))
      const part = `${path}.${randomUUID()}`
      await mkdir(dirname(path), { recursive: true })
      await writeFile(part, note)
      try {
        // A link appears whole or not at all, and never replaces a file.
        await link(part, path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      } finally {
        await rm(part, { force: true })
      }
      return readFile(path, 'utf8')
    },
  }
}
