import { open, type FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Options } from './args.ts'
import { badInput } from './bad-input.ts'
import { streamLive } from './live.ts'
import type { Process } from './process.ts'

/** Where a bundle comes from. */
export interface Source {
  /** Name for the report. */
  name: string
  bytes: number | undefined
  chunks: AsyncIterable<Uint8Array>
}

const CHUNK_BYTES = 64 * 1024

/** Throws bad_input if it can't be read. */
export async function openSource(source: Options['source'], process: Process): Promise<Source> {
  switch (source.kind) {
    case 'stdin':
      return { name: 'standard input', bytes: undefined, chunks: process.stdin }
    case 'live': {
      const key = process.env['VITRINE_KEY']
      if (key === undefined || key === '') throw badInput('--url needs a key in VITRINE_KEY')
      return {
        name: source.url,
        bytes: undefined,
        chunks: streamLive({ url: source.url, scope: source.scope, key, fetch }),
      }
    }
    case 'file':
      return openFile(source.path, process.cwd())
  }
}

async function openFile(path: string, cwd: string): Promise<Source> {
  let handle: FileHandle
  try {
    handle = await open(resolve(cwd, path))
  } catch (error) {
    throw badInput(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
  const stats = await handle.stat()
  if (stats.isDirectory()) {
    await handle.close()
    throw badInput(`${path} is a folder`)
  }
  return { name: path, bytes: stats.isFile() ? stats.size : undefined, chunks: readChunks(handle) }
}

/** Reuses one buffer: the reader of lines copies what it keeps. */
async function* readChunks(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  try {
    while (true) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}
