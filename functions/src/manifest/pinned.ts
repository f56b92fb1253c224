import { LRUCache } from 'lru-cache'
import { parseJson } from '@vitrine/core/json/parse'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { definitionHash } from '@vitrine/core/policy/definition'
import type { ToolDoc } from '../store/documents.ts'
import type { Inlined } from './lists.ts'
import { toolsByName, toolsHash, type ToolsByName } from './diff.ts'

/** A stored manifest, parsed. */
export interface Pinned {
  /** The definitions of each command; several if the server lists a name more than once. */
  commands: ToolsByName
  /** See toolsHash. */
  hash: string
  /** See definitionHash; undefined for a command that the list lacks. */
  hashOf(command: string): string | undefined
}

/** Reads the manifests of registrations. */
export interface Manifests {
  /** The manifest that the registration is pinned to, or null. */
  pinnedOf(tool: Pick<Inlined<ToolDoc>, 'manifest' | 'manifestHash'>): Pinned | null
  /** The manifest waiting for approval, or null. */
  pendingOf(tool: Pick<Inlined<ToolDoc>, 'manifestPending' | 'manifestPendingHash'>): Pinned | null
}

/** Total length of the cached texts; the parsed objects take several times that. */
const LENGTH_MAX = 16 * 1024 * 1024

/** Parses each manifest once, for all calls while it stays cached. */
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

/** Parses without a cache, for the rare operations of owners and workers. */
export function pinnedOf({ manifest }: { manifest: string | null }): Pinned | null {
  return manifest === null ? null : parseManifest(manifest)
}

export function pendingOf({ manifestPending }: { manifestPending: string | null }): Pinned | null {
  return manifestPending === null ? null : parseManifest(manifestPending)
}

function parseManifest(text: string): Pinned {
  const { tools } = parseJson(text) as { tools?: JsonValue }
  const commands = toolsByName(Array.isArray(tools) ? tools : [])
  const hashes = new Map<string, string>()
  return {
    commands,
    hash: toolsHash(commands),
    hashOf(command) {
      const definitions = commands.get(command)
      if (definitions && !hashes.has(command)) hashes.set(command, definitionHash(definitions))
      return hashes.get(command)
    },
  }
}

/** The first definition of a command, as the server sent it. */
export function definitionOf(pinned: Pinned | null, command: string): JsonObject | undefined {
  return pinned?.commands.get(command)?.[0]
}
