import { LRUCache } from 'lru-cache'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import type { ToolDoc } from '../store/documents.ts'
import { toolsByName, toolsHash, type ToolsByName } from './diff.ts'

/** A stored manifest, parsed. */
export interface Pinned {
  /** What each command is defined as; more than one definition where the server lists a name twice. */
  commands: ToolsByName
  /** See toolsHash. */
  hash: string
}

/** Reads the manifests of registrations. */
export interface Manifests {
  /** The one that the registration is pinned to; null where there is none. */
  pinnedOf(tool: Pick<ToolDoc, 'manifest' | 'manifestHash'>): Pinned | null
  /** The one that waits for approval. */
  pendingOf(tool: Pick<ToolDoc, 'manifestPending' | 'manifestPendingHash'>): Pinned | null
}

/** Length of all texts that are kept parsed; an object takes some times that. */
const LENGTH_MAX = 16 * 1024 * 1024

/** Parses a manifest once for all calls while it stays. */
export function createManifests(): Manifests {
  const parsed = new LRUCache<string, { text: string; pinned: Pinned }>({
    maxSize: LENGTH_MAX,
    sizeCalculation: ({ text }) => text.length,
  })

  function read(text: string, hash: string | null): Pinned {
    const key = hash ?? text
    const known = parsed.get(key)
    if (known?.text === text) return known.pinned
    const pinned = parseManifest(text)
    parsed.set(key, { text, pinned })
    return pinned
  }

  return {
    pinnedOf: ({ manifest, manifestHash }) => (manifest === null ? null : read(manifest, manifestHash)),
    pendingOf: ({ manifestPending, manifestPendingHash }) =>
      manifestPending === null ? null : read(manifestPending, manifestPendingHash),
  }
}

/** The same, parsed anew: for what owners and workers do, which is rare. */
export function pinnedOf({ manifest }: Pick<ToolDoc, 'manifest'>): Pinned | null {
  return manifest === null ? null : parseManifest(manifest)
}

export function pendingOf({ manifestPending }: Pick<ToolDoc, 'manifestPending'>): Pinned | null {
  return manifestPending === null ? null : parseManifest(manifestPending)
}

function parseManifest(text: string): Pinned {
  const { tools } = JSON.parse(text) as { tools?: JsonValue }
  const commands = toolsByName(Array.isArray(tools) ? tools : [])
  return { commands, hash: toolsHash(commands) }
}

/** The first definition of a command, as the server sent it. */
export function definitionOf(pinned: Pinned | null, command: string): JsonObject | undefined {
  return pinned?.commands.get(command)?.[0]
}
