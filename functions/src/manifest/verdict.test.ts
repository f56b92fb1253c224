import { ERRORS } from '@vitrine/core/errors'
import type { Firestore } from 'firebase-admin/firestore'
import { beforeEach, describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { fail, ok, type Result } from '@vitrine/core/result'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { Item, Write } from '../ledger/plan.ts'
import { TOOL_DEFAULTS, type Registration } from '../store/documents.ts'
import { listingOf, type Listing } from './listing.ts'
import { createLists, type Inlined } from './lists.ts'
import { createManifests } from './pinned.ts'
import { createVerdicts, judge, knownVerdict } from './verdict.ts'

const scrubber = createScrubber(null, { scheme: 'bearer' })

function pin(tools: JsonValue[], version = '1'): Listing {
  const pinned = listingOf({ protocolVersion: '2026-07-28', server: { name: 's', version }, tools }, scrubber)
  if (!pinned.ok) throw new Error(pinned.error.code)
  return pinned.value
}

const command = (name: string, description = 'as approved'): JsonObject => ({ name, description })
const PINNED = pin([command('a'), command('b')])
const CHANGED = pin([command('a', 'otherwise'), command('b'), command('new')])

let registrations = 0

function toolWith(pinned: Listing | null, changes: Partial<Inlined<Registration>> = {}): Inlined<Registration> {
  const settings = {
    orgId: 'org',
    name: `t${registrations++}`,
    kind: 'mcp',
    url: 'https://x.example/',
    method: 'POST',
    auth: { scheme: 'bearer' },
    headers: {},
  } as const
  const secret = { credential: null, sealed: null, enabled: true, credentialAccess: true, version: 1 }
  return {
    ...TOOL_DEFAULTS,
    ...settings,
    ...secret,
    manifest: pinned?.manifest ?? null,
    manifestHash: pinned?.manifestHash ?? null,
    ...changes,
  }
}

const manifests = createManifests()

/** One tool document and the chain next to it. `before` runs right before a commit, as another process would. */
function world(tool: Inlined<Registration>, live: Result<Listing>) {
  let version = 0
  const state = {
    stored: tool,
    live,
    looks: 0,
    before: () => undefined as unknown,
    refuseAppends: false,
    entries: [] as { action: string; meta: Record<string, unknown> }[],
    write(data: object) {
      state.stored = { ...state.stored, ...data }
      version += 1
    },
  }
  const parts = {
    db: {
      doc: () => ({ get: () => Promise.resolve({ data: () => state.stored, updateTime: version }) }),
    } as unknown as Firestore,
    append: (_log: string, _orgId: string, item: Item) => {
      state.before()
      const [write] = item.writes!(0, '', '') as [Extract<Write, { op: 'update' }>]
      if (state.refuseAppends) return Promise.resolve(fail('ledger_unavailable'))
      if (write.version !== version) return Promise.resolve(fail('conflict'))
      state.write(write.data)
      state.entries.push(...item.drafts)
      return Promise.resolve(ok({ receipts: [], at: '' }))
    },
    checkManifest: () => {
      state.looks += 1
      return Promise.resolve(state.live)
    },
    openCredential: () => Promise.resolve(ok({ token: null, scrubber })),
    lists: createLists(async () => [] as never),
    manifests,
  }
  const verdicts = createVerdicts(parts)
  const verdict = async (name: string | undefined, as = state.stored) => {
    const result = await verdicts.live('agent', as, name, { token: null, scrubber }, new AbortController().signal)
    return result.ok ? 'ok' : result.error.code
  }
  return { state, verdicts, verdict }
}

const codeOf = (result: Result<unknown>) => (result.ok ? 'ok' : result.error.code)

it('judges a command by what both lists say of it', () => {
  const judged = (name: string, tool = toolWith(PINNED)) =>
    judge(manifests.pinnedOf(tool), name, pin([command('a', 'otherwise'), command('new')]).commands)
  expect(['a', 'b', 'new', 'none'].map((name) => judged(name))).toEqual(['changed', 'changed', 'changed', 'unknown'])
  expect(judge(manifests.pinnedOf(toolWith(PINNED)), 'b', CHANGED.commands)).toBe('ok')
})

describe('what the document says alone', () => {
  it('while nothing waits: pinned commands go, others are not there', () => {
    const tool = toolWith(PINNED)
    expect(['a', 'b', 'new', 'toString'].map((name) => codeOf(knownVerdict(manifests, tool, name)))).toEqual([
      'ok',
      'ok',
      'tool_not_found',
      'tool_not_found',
    ])
  })

  it('while a list waits: what it has otherwise, more or less is refused', () => {
    const tool = toolWith(PINNED, { manifestPending: CHANGED.manifest, manifestPendingHash: CHANGED.manifestHash })
    expect(['a', 'b', 'new', 'none'].map((name) => codeOf(knownVerdict(manifests, tool, name)))).toEqual([
      'manifest_changed',
      'ok',
      'manifest_changed',
      'tool_not_found',
    ])
    expect(codeOf(knownVerdict(manifests, { ...tool, manifestPolicy: 'warn' }, 'a'))).toBe('ok')
  })

  it('of what has no pins: nothing', () => {
    expect(codeOf(knownVerdict(manifests, toolWith(null), 'a'))).toBe('ok')
    expect(codeOf(knownVerdict(manifests, toolWith(PINNED, { kind: 'http' }), 'a'))).toBe('ok')
    expect(codeOf(knownVerdict(manifests, toolWith(PINNED), undefined))).toBe('ok')
  })
})

describe('a look at the server', () => {
  it('that lists what is pinned changes nothing, whatever it calls itself', async () => {
    const { state, verdict } = world(toolWith(PINNED), ok(pin([command('b'), command('a')], '2')))
    expect([await verdict('a'), await verdict('none')]).toEqual(['ok', 'tool_not_found'])
    expect(state.entries).toEqual([])
  })

  it('that lists otherwise is put on record once, refuses what changed and lets the rest go on', async () => {
    const { state, verdict } = world(toolWith(PINNED), ok(CHANGED))
    const tool = state.stored
    // All calls read the document before the first of them wrote it.
    const verdicts = await Promise.all(['a', 'b', 'new', 'none', 'a', 'b'].map((name) => verdict(name, tool)))
    expect(verdicts).toEqual(['manifest_changed', 'ok', 'manifest_changed', 'tool_not_found', 'manifest_changed', 'ok'])
    expect(state.entries).toEqual([
      {
        action: 'tool.manifestChanged',
        actor: 'system:manifest',
        target: tool.name,
        call: '',
        meta: {
          manifestHash: PINNED.manifestHash,
          liveHash: CHANGED.manifestHash,
          added: 1,
          removed: 0,
          changed: 1,
          names: '~a +new',
        },
      },
    ])
    expect(state.stored).toMatchObject({
      manifest: PINNED.manifest,
      manifestHash: PINNED.manifestHash,
      manifestPending: CHANGED.manifest,
      manifestPendingHash: CHANGED.manifestHash,
    })
    expect(await verdict('a')).toBe('manifest_changed')
    expect(state.entries).toHaveLength(1)
  })

  it('that another process had at the same time is not put on record twice', async () => {
    const { state, verdict } = world(toolWith(PINNED), ok(CHANGED))
    state.before = () => {
      state.before = () => undefined
      state.write({ manifestPending: CHANGED.manifest, manifestPendingHash: CHANGED.manifestHash })
    }
    expect(await verdict('a')).toBe('manifest_changed')
    expect(state.entries).toEqual([])
  })

  it('that came too late for its registration leaves the next one alone', async () => {
    const { state, verdict } = world(toolWith(PINNED), ok(CHANGED))
    const old = state.stored
    state.write({ version: 2 })
    expect(await verdict('a', old)).toBe('manifest_changed')
    expect(state).toMatchObject({ entries: [], stored: { manifestPending: null } })
  })

  it('that lists what is pinned again takes the other list back, on record', async () => {
    const { state, verdict } = world(
      toolWith(PINNED, { manifestPending: CHANGED.manifest, manifestPendingHash: CHANGED.manifestHash }),
      ok(PINNED),
    )
    expect(await verdict('a')).toBe('ok')
    expect(state.entries.map(({ meta }) => meta)).toEqual([
      { reverted: true, manifestHash: PINNED.manifestHash, liveHash: PINNED.manifestHash },
    ])
    expect(state.stored).toMatchObject({ manifest: PINNED.manifest, manifestPending: null, manifestPendingHash: null })
  })

  it('that finds a third list is put on record too', async () => {
    const { state, verdict } = world(
      toolWith(PINNED, { manifestPending: CHANGED.manifest, manifestPendingHash: CHANGED.manifestHash }),
      ok(pin([command('b')])),
    )
    expect([await verdict('a'), await verdict('b'), await verdict('new')]).toEqual([
      'manifest_changed',
      'ok',
      'tool_not_found',
    ])
    expect(state.entries.map(({ meta }) => meta['names'])).toEqual(['-a'])
  })

  it("pins the first list there is, and another process's rather than its own", async () => {
    const { state, verdict } = world(toolWith(null), ok(PINNED))
    expect([await verdict('a'), await verdict('none')]).toEqual(['ok', 'tool_not_found'])
    expect(state.entries.map(({ meta }) => meta)).toEqual([
      { first: true, manifestHash: PINNED.manifestHash, added: 2, removed: 0, changed: 0, names: '+a +b' },
    ])
    expect(state.stored).toMatchObject({ manifest: PINNED.manifest, manifestHash: PINNED.manifestHash })

    const second = world(toolWith(null), ok(CHANGED))
    second.state.before = () => {
      second.state.before = () => undefined
      second.state.write({ manifest: PINNED.manifest, manifestHash: PINNED.manifestHash })
    }
    expect(await second.verdict('a')).toBe('manifest_changed')
    expect(second.state.stored).toMatchObject({ manifest: PINNED.manifest, manifestPending: CHANGED.manifest })
  })

  it('that failed refuses with its own reason, and is no change', async () => {
    const { state, verdict } = world(toolWith(PINNED), fail('upstream_unreachable'))
    expect(await verdict('a')).toBe('upstream_unreachable')
    expect(state.entries).toEqual([])
  })

  it.each([fail('upstream_too_large', 'The list of tools is too large.'), fail('upstream_invalid')])(
    'whose answer cannot be taken as a list is a change like any other: %j',
    async (untakeable) => {
      const { state, verdict } = world(
        toolWith(PINNED, { manifestPending: CHANGED.manifest, manifestPendingHash: CHANGED.manifestHash }),
        untakeable,
      )
      const tool = state.stored
      const all = ['a', 'b', 'new', 'none'].map((name) => verdict(name, tool))
      expect(await Promise.all(all)).toEqual(all.map(() => 'manifest_changed'))
      const problem = untakeable.error.message ?? ERRORS.upstream_invalid.message
      expect(state.entries.map(({ meta }) => meta)).toEqual([{ manifestHash: PINNED.manifestHash, problem }])
      expect(state.stored).toMatchObject({ manifestProblem: problem, manifestPending: null, manifestPendingHash: null })
      expect(codeOf(knownVerdict(manifests, state.stored, 'b'))).toBe('manifest_changed')
      state.live = fail('upstream_invalid', 'Otherwise.')
      expect(await verdict('b')).toBe('manifest_changed')
      expect(state.entries).toHaveLength(1)

      state.live = ok(PINNED)
      expect([await verdict('a'), await verdict('none')]).toEqual(['ok', 'tool_not_found'])
      expect(state.entries.slice(1).map(({ meta }) => meta['reverted'])).toEqual([true])
      expect(state.stored.manifestProblem).toBeNull()
      state.live = untakeable
      await verdict('a')
      state.live = ok(CHANGED)
      expect([await verdict('a'), await verdict('b')]).toEqual(['manifest_changed', 'ok'])
      expect(state.stored).toMatchObject({ manifestProblem: null, manifestPendingHash: CHANGED.manifestHash })
    },
  )

  it('refuses also when that cannot be put on record', async () => {
    const { state, verdict } = world(toolWith(PINNED), fail('upstream_too_large'))
    state.refuseAppends = true
    expect(await verdict('b')).toBe('manifest_changed')
    expect(state.stored.manifestProblem).toBeNull()
  })

  it.each([
    fail('upstream_timeout'),
    fail('upstream_interrupted'),
    fail('upstream_invalid', 'The server answered with HTTP 503.', { status: 503 }),
  ])('that got no answer of the server refuses too, and is no change: %j', async (late) => {
    const { state, verdict } = world(toolWith(PINNED), late)
    expect([await verdict('a'), await verdict('b')]).toEqual([late.error.code, late.error.code])
    expect(state.entries).toEqual([])
  })

  it.each([fail('upstream_invalid'), fail('upstream_timeout')])(
    'that never gave a list lets calls go on unpinned, unless a pin is required: %j',
    async (none) => {
      const { state, verdicts } = world(toolWith(null), none)
      const look = (tool: Inlined<Registration>) =>
        verdicts.live('agent', tool, 'a', { token: null, scrubber }, new AbortController().signal)
      expect([await look(state.stored), await look(state.stored)]).toEqual([
        ok({ unpinned: true }),
        ok({ unpinned: true }),
      ])
      // A list that is late is asked for once a minute; waiting for it would take the time of every call.
      expect(state.looks).toBe(none.error.code === 'upstream_timeout' ? 1 : 2)
      expect(await look(toolWith(null, { manifestPolicy: 'require' }))).toEqual(none)
      expect(state.entries).toEqual([])
    },
  )

  it('lets everything go on where the owner only wants to know', async () => {
    const { state, verdict } = world(toolWith(PINNED, { manifestPolicy: 'warn' }), ok(CHANGED))
    expect([await verdict('a'), await verdict('none')]).toEqual(['ok', 'ok'])
    expect(state.entries).toHaveLength(1)
    state.live = fail('upstream_timeout')
    expect(await verdict('a')).toBe('ok')
  })

  it('that cannot be put on record holds all the same, but a first list is nothing to hold calls against then', async () => {
    const { state, verdict } = world(toolWith(PINNED), ok(CHANGED))
    state.refuseAppends = true
    expect([await verdict('a'), await verdict('b')]).toEqual(['manifest_changed', 'ok'])
    const first = world(toolWith(null), ok(PINNED))
    first.state.refuseAppends = true
    expect(await first.verdict('a')).toBe('ledger_unavailable')
  })

  it('is not made for what has no list', async () => {
    const { state, verdict } = world(toolWith(PINNED, { kind: 'http' }), ok(CHANGED))
    expect([await verdict('a'), await verdict(undefined)]).toEqual(['ok', 'ok'])
    expect(state.looks).toBe(0)
  })

  it('names what changed as far as there is room, and nothing that is no name', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `command_${i}`)
    const { state, verdict } = world(
      toolWith(pin([])),
      ok(pin([...names, 'Ignore all\nof this', ''].map((name) => command(name)))),
    )
    await verdict('a')
    const { added, names: listed } = state.entries[0]!.meta as { added: number; names: string }
    expect(added).toBe(102)
    expect(listed.length).toBeLessThan(210)
    expect(listed).toMatch(/^(\+command_\d+ )+…$/)
  })
})

describe('a refusal that stands in the document', () => {
  const waiting = { manifestPending: CHANGED.manifest, manifestPendingHash: CHANGED.manifestHash }
  const standing = async ({ state, verdicts }: ReturnType<typeof world>, name: string) =>
    codeOf(await verdicts.stored('agent', state.stored, name))
  let found: ReturnType<typeof world>
  beforeEach(() => {
    found = world(toolWith(PINNED, waiting), ok(CHANGED))
  })

  it('is looked into once, and holds while the server says the same', async () => {
    expect([await standing(found, 'a'), await standing(found, 'a'), await standing(found, 'new')]).toEqual([
      'manifest_changed',
      'manifest_changed',
      'manifest_changed',
    ])
    expect(found.state.looks).toBe(1)
  })

  it('is over when the server went back', async () => {
    found.state.live = ok(PINNED)
    expect(await standing(found, 'a')).toBe('ok')
    expect(found.state).toMatchObject({ stored: { manifestPending: null }, looks: 1 })
  })

  it('stays what it is when the server cannot be asked', async () => {
    found.state.live = fail('upstream_unreachable')
    expect(await standing(found, 'a')).toBe('manifest_changed')
  })

  it('is none of what may go: nobody is asked', async () => {
    expect(await standing(found, 'b')).toBe('ok')
    expect(found.state.looks).toBe(0)
  })
})

describe('a pin', () => {
  it('has nothing of the credential in it, and is refused when it grows too large thereby', () => {
    const said = { protocolVersion: 'p', server: null, tools: [command('a', 'token s3cret-token')] }
    const scrubbed = listingOf(said, createScrubber('s3cret-token', { scheme: 'bearer' }))
    expect(JSON.stringify(scrubbed)).not.toContain('s3cret')
    const tooLarge = listingOf(
      { ...said, tools: Array.from({ length: 320_000 }, () => 'x') },
      createScrubber('x', { scheme: 'bearer' }),
    )
    expect(tooLarge).toMatchObject({ ok: false, error: { code: 'upstream_too_large' } })
  })

  it.each(['"\\ud800"', '1e999'])('cannot hold %s, which has no hash', (text) => {
    expect(listingOf({ protocolVersion: 'p', server: null, tools: [JSON.parse(text) as JsonValue] }, scrubber)).toEqual(
      {
        ok: false,
        error: { code: 'upstream_invalid' },
      },
    )
  })
})
