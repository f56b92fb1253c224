import { isSha256 } from '@vitrine/core/names'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { bytesToHex } from '@vitrine/core/bytes'
import { parseCheckpoint } from '@vitrine/core/log/checkpoint'
import { leafHash } from '@vitrine/core/log/merkle'
import { parseTlogProof, TLOG_PROOF_LENGTH_MAX } from '@vitrine/core/log/tlog-proof'
import { badInput } from './bad-input.ts'
import type { BareReceipt, Held, Pin, ProofReceipt } from './check/held.ts'

/** Reads the files that the auditor holds: pins and receipts. */

/** Largest file: a proof, or many receipts. */
const FILE_BYTES_MAX = 8 * TLOG_PROOF_LENGTH_MAX
const PROOF_MAGIC = 'c2sp.org/tlog-proof@'

/** Reads what is held outside, named from `cwd`: signed checkpoints, and folders of receipts. Throws bad_input for any other file. */
export async function readHeld(
  pinFiles: readonly string[],
  receiptFolders: readonly string[],
  cwd: string,
): Promise<Held> {
  const held: Held = { pins: [], proofs: [], receipts: [] }
  for (const file of pinFiles) held.pins.push(await readPin(file, cwd))
  for (const folder of receiptFolders) {
    for (const file of await filesOf(folder, cwd)) {
      const text = await readText('--receipts', file, cwd)
      if (text.startsWith(PROOF_MAGIC)) held.proofs.push(parseProof(file, text))
      else held.receipts.push(...parseReceipts(file, text))
    }
  }
  return held
}

async function readPin(file: string, cwd: string): Promise<Pin> {
  const note = await readText('--pin', file, cwd)
  const parsed = parseCheckpoint(note)
  if (!parsed.ok) throw badInput(`--pin ${file}: not a signed checkpoint: ${parsed.error.reason}`)
  return { file, note, checkpoint: parsed.value.checkpoint }
}

async function filesOf(folder: string, cwd: string): Promise<string[]> {
  try {
    const entries = await readdir(resolve(cwd, folder), { withFileTypes: true })
    const names = entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
    return names.sort().map((name) => join(folder, name))
  } catch {
    throw badInput(`--receipts ${folder}: not a folder that can be read`)
  }
}

async function readText(flag: string, file: string, cwd: string): Promise<string> {
  let text: string | undefined
  try {
    const path = resolve(cwd, file)
    if ((await stat(path)).size <= FILE_BYTES_MAX) text = await readFile(path, 'utf8')
  } catch (error) {
    throw badInput(`${flag} ${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
  if (text === undefined) throw badInput(`${flag} ${file}: too large`)
  return text
}

function parseProof(file: string, text: string): ProofReceipt {
  const parsed = parseTlogProof(text)
  if (!parsed.ok) throw badInput(`--receipts ${file}: not a tlog-proof: ${parsed.error.reason}`)
  const proof = parsed.value
  const checkpoint = parseCheckpoint(proof.checkpoint)
  if (!checkpoint.ok) throw badInput(`--receipts ${file}: ${checkpoint.error.reason}`)
  return {
    file,
    proof,
    checkpoint: checkpoint.value.checkpoint,
    hash: proof.extra && bytesToHex(leafHash(proof.extra)),
  }
}

/** One receipt, an array, or one per line; each is a receipt itself or invokeTool's whole answer with a `receipt`. */
function parseReceipts(file: string, text: string): BareReceipt[] {
  const values =
    parseJson(text) ??
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => parseJson(line)?.[0])
  const receipts = values.map((value) => receiptOf(file, value))
  if (receipts.length === 0 || receipts.some((receipt) => receipt === undefined)) {
    throw badInput(`--receipts ${file}: neither a tlog-proof nor JSON with log, seq and hash`)
  }
  return receipts.filter((receipt) => receipt !== undefined)
}

function parseJson(text: string): unknown[] | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return Array.isArray(value) ? value : [value]
  } catch {
    return undefined
  }
}

function receiptOf(file: string, value: unknown): BareReceipt | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { log, seq, hash, receipt } = value as Record<string, unknown>
  if (log === undefined && receipt !== undefined) return receiptOf(file, receipt)
  const isReceipt =
    typeof log === 'string' &&
    Number.isSafeInteger(seq) &&
    (seq as number) >= 0 &&
    typeof hash === 'string' &&
    isSha256(hash)
  return isReceipt ? { file, log, seq: seq as number, hash } : undefined
}
