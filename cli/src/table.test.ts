import { describe, expect, it } from 'vitest'
import type { Entry, Meta } from '@vitrine/core/log/entry'
import { createTable, ENTRY_COLUMNS } from './table.ts'

function entry(change: Partial<Entry>): Entry {
  return {
    v: 1,
    log: 'agents/a1',
    seq: 0,
    prev: '',
    ts: '2026-01-02T03:04:05.000Z',
    action: 'tool.invoke',
    actor: 'agent:a1',
    target: 'search',
    call: 'c',
    meta: {},
    ...change,
  }
}

describe('the table', () => {
  it('has one line an entry, its columns under each other and never narrower again', () => {
    const table = createTable(ENTRY_COLUMNS)
    const first = table.rows([entry({ meta: { ok: true, status: 200 } }), entry({ seq: 1, target: 'a-longer-name' })])
    expect(first).toBe(
      'TIME                      CHAIN      SEQ  ACTION       ACTOR     TARGET         OUTCOME\n' +
        '2026-01-02T03:04:05.000Z  agents/a1  0    tool.invoke  agent:a1  search         ok 200\n' +
        '2026-01-02T03:04:05.000Z  agents/a1  1    tool.invoke  agent:a1  a-longer-name  failed\n',
    )
    expect(table.rows([entry({ seq: 2, meta: { ok: true, status: 204 } })])).toBe(
      '2026-01-02T03:04:05.000Z  agents/a1  2    tool.invoke  agent:a1  search         ok 204\n',
    )
  })

  it.each<[Entry['action'], Meta, string]>([
    ['tool.invoke', { ok: true, status: 200, error: '' }, 'ok 200'],
    ['tool.invoke', { ok: false, status: 503, error: '' }, 'failed 503'],
    ['tool.invoke', { ok: false, status: 0, error: 'upstream_timeout' }, 'failed upstream_timeout'],
    ['tool.deny', { reason: 'agent_disabled' }, 'denied agent_disabled'],
    ['tool.reconcile', { outcome: 'unknown', intentSeq: 1 }, 'unknown'],
    ['key.rotate', {}, ''],
  ])('says how %s with %j ended', (action, meta, outcome) => {
    const [, row] = createTable(ENTRY_COLUMNS)
      .rows([entry({ action, meta, target: 'TARGET' })])
      .split('\n')
    expect(row!.slice(row!.indexOf('TARGET') + 'TARGET'.length).trim()).toBe(outcome)
  })

  it('shows nothing that a terminal would obey', () => {
    const shown = createTable(ENTRY_COLUMNS).rows([entry({ target: 'a\u001b[2Jb\u0007\nc\u202ed\u009b1m' })])
    expect(shown.replaceAll('\n', '')).not.toMatch(/\p{C}/u)
    expect(shown.split('\n')).toHaveLength(3)
  })
})
