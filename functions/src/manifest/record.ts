import type { Meta } from '@vitrine/core/log/entry'
import { isCommand } from '@vitrine/core/names'
import { ok, type Result } from '@vitrine/core/result'
import { coalesce } from '../lib/coalesce.ts'
import { answered } from '../store/answered.ts'
import { logs, paths, toolFrom, type ToolDoc } from '../store/documents.ts'
import { read } from '../store/path.ts'
import { retryConflicts } from '../store/retry.ts'
import { diffTools, type ManifestDiff, type ToolsByName } from './diff.ts'
import type { Listing } from './listing.ts'
import { dropParts, partsThen, storeLists, type Inlined } from './lists.ts'
import type { ManifestParts } from './parts.ts'
import type { Pinned } from './pinned.ts'

/** A registration's pinned list and the list waiting for approval. */
export type Pins = Pick<
  Inlined<ToolDoc>,
  'manifest' | 'manifestHash' | 'manifestPending' | 'manifestPendingHash' | 'manifestProblem'
>

/** The same as its document holds them. */
export type StoredPins = Pick<ToolDoc, keyof Pins>

/** Bounds the names in an entry's meta; a list may have thousands. */
const NAMES_LENGTH_MAX = 200

/** Why the list that a server gave cannot be taken. */
export interface Untakeable {
  problem: string
}

/** Whether `live` differs from what the document holds. A server that never gave a list has nothing to change. */
export function isNews(tool: Pins, pinned: Pinned | null, live: Listing | Untakeable): boolean {
  if ('problem' in live) return pinned !== null && tool.manifestProblem === null
  if (pinned === null || tool.manifestProblem !== null) return true
  return pinned.hash === live.manifestHash
    ? tool.manifestPendingHash !== null
    : tool.manifestPendingHash !== live.manifestHash
}

/**
 * Updates the pins of a registration to what its server lists, in one commit with the entry `tool.manifestChanged`: a
 * first list is pinned, a different one waits for approval, one that cannot be taken stops all commands, and a server that
 * went back clears both. Each change is recorded once, however many calls and processes find it. Returns the resulting pins. Errors: conflict,
 * ledger_unavailable.
 */
export type RecordManifest = (
  agentId: string,
  tool: Inlined<ToolDoc>,
  live: Listing | Untakeable,
) => Promise<Result<Pins>>

export function manifestRecorder({
  db,
  append,
  lists,
  manifests,
}: Pick<ManifestParts, 'db' | 'append' | 'lists' | 'manifests'>): RecordManifest {
  const shared = coalesce<Result<Pins>>()

  return (agentId, tool, live) => {
    const path = paths.tool(agentId, tool.name)
    return shared(`${path}@${tool.version} ${'problem' in live ? '' : live.manifestHash}`, () =>
      retryConflicts(async () => {
        const { data, version } = await answered(read(db, path))
        const doc = toolFrom(data)
        const stored = doc && (await lists.inlined(path, doc))
        // The tool was registered again or removed, so this list describes an older registration.
        if (!stored || stored.version !== tool.version) return ok(tool)
        const pinned = manifests.pinnedOf(stored)
        if (!isNews(stored, pinned, live)) return ok(stored)
        const { meta, pins } = 'problem' in live ? stopped(stored, live) : changeTo(stored, pinned, live)
        const before = await partsThen(db, path, doc)
        const texts = await storeLists(db, path, { stored: doc, doc: stored }, pins)
        const appended = await append(logs.agent(agentId), stored.orgId, {
          drafts: [{ action: 'tool.manifestChanged', actor: 'system:manifest', target: tool.name, call: '', meta }],
          writes: () => [{ op: 'update', path, data: { ...pins, ...texts }, version }],
        })
        if (!appended.ok) return appended
        await dropParts(before, texts)
        return ok({ ...stored, ...pins })
      }),
    )
  }
}

function changeTo(
  stored: Pins,
  pinned: Pinned | null,
  { manifest, manifestHash, commands }: Listing,
): { meta: Meta; pins: Pins } {
  const nothingPending = { manifestPending: null, manifestPendingHash: null, manifestProblem: null }
  if (pinned === null)
    return {
      meta: { first: true, manifestHash, ...counts(new Map(), commands) },
      pins: { manifest, manifestHash, ...nothingPending },
    }
  const { manifest: text, manifestHash: hash } = stored
  const meta = { manifestHash: hash ?? pinned.hash, liveHash: manifestHash }
  if (pinned.hash === manifestHash)
    return { meta: { reverted: true, ...meta }, pins: { manifest: text, manifestHash: hash, ...nothingPending } }
  return {
    meta: { ...meta, ...counts(pinned.commands, commands) },
    pins: {
      manifest: text,
      manifestHash: hash,
      manifestPending: manifest,
      manifestPendingHash: manifestHash,
      manifestProblem: null,
    },
  }
}

/** A list that waits for approval is none any more: the server gives another now. */
function stopped({ manifest, manifestHash }: Pins, { problem }: Untakeable): { meta: Meta; pins: Pins } {
  return {
    meta: { ...(manifestHash !== null && { manifestHash }), problem },
    pins: { manifest, manifestHash, manifestPending: null, manifestPendingHash: null, manifestProblem: problem },
  }
}

function counts(before: ToolsByName, after: ToolsByName): Meta {
  const diff = diffTools(before, after)
  return { added: diff.added.length, removed: diff.removed.length, changed: diff.changed.length, names: namesOf(diff) }
}

/**
 * `+added -removed ~changed`, as many as fit. Invalid command names are counted, not listed: the server may write
 * anything there.
 */
function namesOf({ added, removed, changed }: ManifestDiff): string {
  const marked = Object.entries({ '~': changed, '+': added, '-': removed }).flatMap(([mark, names]) =>
    names.filter(isCommand).map((name) => mark + name),
  )
  let text = ''
  for (const name of marked) {
    if (text.length + name.length >= NAMES_LENGTH_MAX) return `${text} …`
    text += (text && ' ') + name
  }
  return text
}
