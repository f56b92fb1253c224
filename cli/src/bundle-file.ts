import { open, rm, type FileHandle } from 'node:fs/promises'
import { BUNDLE_LINE_LENGTH_MAX, type BundleLine } from '@vitrine/core/log/bundle'
import { createExportPoint, type ExportPoint, type ExportResume } from '../../sdk/src/export-point.ts'
import { resolve } from 'node:path'
import { badUsage } from './bad-usage.ts'
import { fail } from './files.ts'
import type { Io } from './io.ts'

/** A bundle that is being written. */
export interface BundleFile {
  /** Where to go on with what is there; undefined for a new file. */
  resume: ExportResume | undefined
  /** Whether all of it is there already. */
  complete: boolean
  append(line: string): Promise<void>
  /** Writes what is waiting. A file without a line is removed again. */
  close(): Promise<void>
}

const CHUNK_BYTES = 1024 * 1024
const NEWLINE = 0x0a
/** In UTF-8 no UTF-16 code unit takes more than three bytes. */
const LINE_BYTES_MAX = 3 * BUNDLE_LINE_LENGTH_MAX

/** Makes the file, which must not exist. Throws bad usage. */
export async function createBundle(path: string, io: Pick<Io, 'cwd'>): Promise<BundleFile> {
  // It is for those who may read the audit.
  const file = await open(resolve(io.cwd, path), 'wx', 0o600).catch((error: unknown) => fail(path, 'written', error))
  return writer(file, path, io, { end: 0, resume: undefined, complete: false })
}

/**
 * Opens a bundle of `scope` that broke off, and drops what stands behind the last line from which an export can go on; makes
 * the file if there is none. Throws bad usage for anything else than such a bundle.
 */
export async function reopenBundle(path: string, scope: string, io: Pick<Io, 'cwd'>): Promise<BundleFile> {
  let file: FileHandle
  try {
    file = await open(resolve(io.cwd, path), 'r+')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? createBundle(path, io) : fail(path, 'written', error)
  }
  try {
    const place = await findPlace(file, path, scope)
    if (!place.complete) await file.truncate(place.end)
    return writer(file, path, io, place)
  } catch (error) {
    await file.close()
    throw error
  }
}

interface Place {
  /** Bytes to keep. */
  end: number
  resume: ExportResume | undefined
  complete: boolean
}

async function findPlace(file: FileHandle, path: string, scope: string): Promise<Place> {
  const point = createExportPoint()
  const place: Place = { end: 0, resume: undefined, complete: false }
  let isFirst = true
  for await (const { text, end } of linesOf(file, path)) {
    const line = take(point, text)
    if (!line || isFirst !== (line.type === 'bundle')) throw notAnExport(path)
    if (line.type === 'bundle' && line.scope !== scope)
      throw badUsage(`${path} is an export of ${line.scope}, not of ${scope}`)
    isFirst = false
    if (line.type === 'chain' || line.type === 'entry') Object.assign(place, { end, resume: point.resume() })
    if (line.type === 'end') return { ...place, end, complete: true }
  }
  return place
}

function take(point: ExportPoint, text: string): BundleLine | undefined {
  try {
    return point.take(text)
  } catch {
    return undefined
  }
}

function notAnExport(path: string): Error {
  return badUsage(`${path} is not an export`)
}

/** Whole lines, each with the place in the file behind it. */
async function* linesOf(file: FileHandle, path: string): AsyncGenerator<{ text: string; end: number }> {
  const buffer = Buffer.alloc(CHUNK_BYTES)
  let rest: Buffer = Buffer.alloc(0)
  let end = 0
  for (
    let read = await file.read(buffer, 0, CHUNK_BYTES, 0);
    read.bytesRead > 0;
    read = await file.read(buffer, 0, CHUNK_BYTES, end + rest.length)
  ) {
    const bytes = Buffer.concat([rest, buffer.subarray(0, read.bytesRead)])
    let start = 0
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, start)) {
      end += at + 1 - start
      yield { text: bytes.toString('utf8', start, at), end }
      start = at + 1
    }
    rest = bytes.subarray(start)
    if (rest.length > LINE_BYTES_MAX) throw notAnExport(path)
  }
}

function writer(
  file: FileHandle,
  path: string,
  { cwd }: Pick<Io, 'cwd'>,
  { end, resume, complete }: Place,
): BundleFile {
  let position = end
  let waiting = ''

  async function flush(): Promise<void> {
    const bytes = Buffer.from(waiting)
    waiting = ''
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await file
        .write(bytes, written, bytes.length - written, position)
        .catch((error: unknown) => fail(path, 'written', error))
      written += bytesWritten
      position += bytesWritten
    }
  }

  return {
    resume,
    complete,
    async append(line) {
      waiting += `${line}\n`
      if (waiting.length >= CHUNK_BYTES) await flush()
    },
    async close() {
      try {
        await flush()
      } finally {
        await file.close()
      }
      if (position === 0) await rm(resolve(cwd, path))
    },
  }
}
