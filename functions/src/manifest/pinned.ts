import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { weightedLru } from '../lib/weighted-lru.ts'
import type { ToolDoc } from '../store/documents.ts'
import { toolsByName, toolsHash, type ToolsByName } from './diff.ts'

/** A stored manifest, parsed. */
export interface Pinned {
  /** What each command is defined as; more than one definition where the server lists a name twice. */
  commands: ToolsByName
  /** See toolsHash. */
  hash: string
}

/** Length of all texts that are kept parsed; an object takes some times that. */
const LENGTH_MAX = 16 * 1024 * 1024

const parsed = weightedLru<{ text: string; pinned: Pinned }>(LENGTH_MAX)

/** The manifest that a registration is pinned to; null where there is none. Parsed once for all calls while it stays. */
export function pinnedOf({ manifest, manifestHash }: Pick<ToolDoc, 'manifest' | 'manifestHash'>): Pinned | null {
  return manifest === null ? null : parsedManifest(manifest, manifestHash)
}

/** The one that waits for approval. */
export function pendingOf({
  manifestPending,
  manifestPendingHash,
}: Pick<ToolDoc, 'manifestPending' | 'manifestPendingHash'>): Pinned | null {
  return manifestPending === null ? null : parsedManifest(manifestPending, manifestPendingHash)
}

function parsedManifest(text: string, hash: string | null): Pinned {
  const key = hash ?? text
  const known = parsed.get(key)
  if (known?.text === text) return known.pinned
  const { tools } = JSON.parse(text) as { tools?: JsonValue }
  const commands = toolsByName(Array.isArray(tools) ? tools : [])
  const pinned = { commands, hash: toolsHash(commands) }
  parsed.set(key, { text, pinned }, text.length)
  return pinned
}

/** The first definition of a command, as the server sent it. */
export function definitionOf(pinned: Pinned | null, command: string): JsonObject | undefined {
  return pinned?.commands.get(command)?.[0]
}
