import { open, type FileHandle } from 'node:fs/promises'
import type { Options } from './args.ts'
import { badInput } from './bad-input.ts'
import { streamLive } from './live.ts'
import { NOTHING_RECORDED, readRecordedSizes, type RecordedSizes } from './recorded.ts'

/** Where a bundle comes from. */
export interface Source {
  /** For the report. */
  name: string
  bytes: number | undefined
  chunks: AsyncIterable<Uint8Array>
  /** What the org's chain will have recorded, where it is possible to look ahead. */
  recorded: RecordedSizes
}

const CHUNK_BYTES = 64 * 1024

/** Throws bad_input when there is nothing to read. */
export async function openSource(source: Options['source'], key: string | undefined): Promise<Source> {
  switch (source.kind) {
    case 'stdin':
      return { name: 'standard input', bytes: undefined, chunks: process.stdin, recorded: NOTHING_RECORDED }
    case 'live':
      if (key === undefined || key === '') throw badInput('--url needs a key in VITRINE_KEY')
      return { name: source.url, bytes: undefined, chunks: streamLive({ url: source.url, scope: source.scope, key, fetch }), recorded: NOTHING_RECORDED }
    case 'file':
      return openFile(source.path)
  }
}

async function openFile(path: string): Promise<Source> {
  let handle: FileHandle
  try {
    handle = await open(path)
  } catch (error) {
    throw badInput(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
  const stats = await handle.stat()
  if (stats.isDirectory()) throw badInput(`${path} is a folder`)
  if (!stats.isFile()) return { name: path, bytes: undefined, chunks: readChunks(handle, null), recorded: NOTHING_RECORDED }
  return { name: path, bytes: stats.size, chunks: readChunks(handle, 0), recorded: await readRecordedSizes(readChunks(handle, 0)) }
}

/**
 * From the start of a file that can be read again, or from where a pipe is (`position` null). One buffer for all of it: what is
 * kept of a chunk is copied by the reader of lines. The handle stays open until the process ends.
 */
async function* readChunks(handle: FileHandle, position: 0 | null): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  for (let at: number | null = position; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, at)
    if (bytesRead === 0) return
    if (at !== null) at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
