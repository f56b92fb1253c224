import { setTimeout as sleep } from 'node:timers/promises'
import { badInput, isBadInput } from './bad-input.ts'

/** `exportAudit` over HTTP, in the callable protocol: `POST {data}`; the answer is a bundle or `{error}`. */
export interface Live {
  /** Base URL of the functions. */
  url: string
  scope: { agentId: string } | { orgId: string }
  key: string
  fetch: typeof fetch
}

/** Where to resume an export: the current chain, and the last entry received. */
interface Resume {
  log: string
  size: number
  seq: number
  /** Chains received completely and their entries, which the bundle's end counts. */
  chains: number
  entries: number
}

type ChainPlace = Omit<Resume, 'seq'>

/** Give up after so many consecutive connections without progress. */
const ATTEMPTS_MAX = 5
/** Wait before the second of these; doubled each time. */
const PAUSE_MS = 50
const NEWLINE = 0x0a
const ERROR_LENGTH_MAX = 300

/** How the relevant lines begin; their keys are sorted. */
const HEAD_LENGTH = 6
const ENTRY_HEAD = '{"entr'
const OPENING_HEAD = '{"args'
const CHAIN_HEAD = '{"head'
const END_HEAD = '{"chai'

/** Room for all checkpoints of a chain. */
const HELD_BYTES_MAX = 64 * 1024 * 1024

/**
 * The bundle as it arrives. If the connection breaks, the part after the last entry or opening is dropped, and the
 * export is resumed from there. Throws bad_input if the server refuses, or can't be reached after several tries.
 */
export async function* streamLive(live: Live): AsyncGenerator<Uint8Array> {
  const holder = createHolder()
  for (let attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
    const before = holder.resume()
    let body: AsyncIterable<Uint8Array> | undefined
    try {
      body = await request(live, before)
      for await (const chunk of body) {
        const passed = holder.take(chunk)
        if (passed.length > 0) yield passed
        if (holder.ended()) return
      }
    } catch (error) {
      if (isBadInput(error)) throw error
      // No connection, or a broken one. A stream that ends early is handled the same way.
    }
    holder.drop()
    if (holder.resume()?.seq !== before?.seq || holder.resume()?.log !== before?.log) attempts = -1
    else await sleep(PAUSE_MS * 2 ** attempts)
  }
  throw badInput(`${live.url}: no connection, or one that breaks again and again`)
}

async function request(
  { url, scope, key, fetch }: Live,
  resume: Resume | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const response = await fetch(`${url.replace(/\/+$/, '')}/exportAudit`, {
    method: 'POST',
    redirect: 'error',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${key}` },
    body: JSON.stringify({ data: { ...scope, ...(resume && { resume }) } }),
  })
  if (response.ok && response.body !== null) return response.body
  const text = await response.text()
  if (response.status >= 500) throw new Error(text)
  throw badInput(`${url} refused the export (${response.status}): ${messageOf(text)}`)
}

/** The message of a callable error, on one line. */
function messageOf(text: string): string {
  let message = text
  try {
    message = String((JSON.parse(text) as { error?: { message?: unknown } }).error?.message ?? text)
  } catch {
    // not from Vitrine, perhaps a proxy's error page
  }
  return message.replaceAll(/\p{C}+|\s+/gu, ' ').slice(0, ERROR_LENGTH_MAX)
}

/** Holds back the bytes after the last entry or opening, because they are requested again if the connection breaks. */
function createHolder() {
  let held: Buffer = Buffer.alloc(0)
  /** Bytes of `held` whose lines have been read, so that each chain is counted once. */
  let followed = 0
  let chain: ChainPlace | undefined
  let point: Resume | undefined
  let ended = false

  return {
    resume: () => point,
    ended: () => ended,
    drop() {
      held = Buffer.alloc(0)
      followed = 0
      chain = point
    },
    take(chunk: Uint8Array): Uint8Array {
      held = Buffer.concat([held, chunk])
      let safe = 0
      let last: { line: Buffer; chain: ChainPlace | undefined } | undefined
      for (let end = held.indexOf(NEWLINE, followed); end !== -1; end = held.indexOf(NEWLINE, followed)) {
        const line = held.subarray(followed, end)
        followed = end + 1
        const head = line.toString('latin1', 0, HEAD_LENGTH)
        if (head === CHAIN_HEAD) chain = chainBehind(chain, line)
        else if (head === ENTRY_HEAD) last = { line, chain }
        ended ||= head === END_HEAD
        if (head === ENTRY_HEAD || head === OPENING_HEAD || ended) safe = end + 1
      }
      const seq = last && fieldsOf<{ entry: { seq: number } }>(last.line)?.entry.seq
      if (last?.chain && seq !== undefined) point = { ...last.chain, seq }
      const passed = held.subarray(0, safe)
      held = held.subarray(safe)
      followed -= safe
      if (held.length > HELD_BYTES_MAX) throw badInput('the server sends something else than a bundle')
      return passed
    },
  }
}

function chainBehind(before: ChainPlace | undefined, line: Buffer): ChainPlace | undefined {
  const fields = fieldsOf<{ log: string; size: number }>(line)
  if (fields === undefined) return undefined
  const arrived = before
    ? { chains: before.chains + 1, entries: before.entries + before.size }
    : { chains: 0, entries: 0 }
  return { log: fields.log, size: fields.size, ...arrived }
}

/** Doesn't check the line; the bundle's checks do. */
function fieldsOf<T>(line: Buffer): T | undefined {
  try {
    return JSON.parse(line.toString()) as T
  } catch {
    return undefined
  }
}
