/** The commands that the operations of the contract are: `agents.create` is `vitrine agents create`. */

import { contract } from '@vitrine/core/api/contract'
import type { Caller, Operation } from '@vitrine/core/api/operation'
import { kebab } from './fields.ts'

export type Operations = Readonly<Record<string, Operation>>

export interface Verb {
  noun: string
  verb: string
  summary: string
  /** The operation's path; where there are two, the key decides: `tools list` is one for agents and another for owners. */
  paths: readonly [string, ...string[]]
  /** What the verb says by itself: `tools disable` is setEnabled with `enabled: false`. */
  preset: Readonly<Record<string, boolean>>
  /** Whether pieces of the answer are printed as they come. */
  streams: boolean
}

/** Verbs by noun and name, in the order of the contract. */
export type Catalog = ReadonlyMap<string, ReadonlyMap<string, Verb>>

/** `setEnabled` and `setDisabled` are two verbs each beside their own. */
const SWITCHES: Readonly<Record<string, { field: string; verbs: Readonly<Record<string, boolean>> }>> = {
  setEnabled: { field: 'enabled', verbs: { enable: true, disable: false } },
  setDisabled: { field: 'disabled', verbs: { enable: false, disable: true } },
}

export function catalogOf(operations: Operations): Catalog {
  const catalog = new Map<string, Map<string, Verb>>()
  for (const [path, { method }] of Object.entries(operations)) {
    if (method === null) continue
    const [noun = '', name = ''] = method.split('.')
    const pathForAll = Object.keys(operations).find((other) => operations[other]!.method === `${noun}.${name}All`)
    const verbs = catalog.get(noun) ?? new Map<string, Verb>()
    catalog.set(noun, verbs)
    for (const verb of verbsOf(noun, name, pathForAll === undefined ? [path] : [path, pathForAll], operations))
      verbs.set(verb.verb, verb)
  }
  return catalog
}

function verbsOf(noun: string, name: string, paths: Verb['paths'], operations: Operations): Verb[] {
  const [first, second] = paths
  const { summary, pieces } = operations[first]!
  const verb = kebab(name)
  const own: Verb = {
    noun,
    verb,
    summary: second === undefined ? summary : `${summary} With the key of an owner: ${operations[second]!.summary}`,
    paths,
    preset: {},
    streams: false,
  }
  const { field = '', verbs = {} } = SWITCHES[name] ?? {}
  const switches = Object.entries(verbs).map(([short, value]) => ({
    ...own,
    verb: short,
    summary: `Short for ${verb} --${value ? '' : 'no-'}${field}.`,
    preset: { [field]: value },
  }))
  const stream = {
    ...own,
    verb: 'stream',
    summary: `Like ${verb}, but prints the answer piece by piece, as it comes.`,
    streams: true,
  }
  return [own, ...switches, ...(pieces ? [stream] : [])]
}

/** The path whose operation the bearer may call; the first where none is, so that the server says why not. */
export function pathFor({ paths }: Verb, operations: Operations, caller: Caller): string {
  return paths.find((path) => operations[path]!.callers.includes(caller)) ?? paths[0]
}

export const OPERATIONS: Operations = contract
export const CATALOG = catalogOf(OPERATIONS)
