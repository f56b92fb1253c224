import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { testKey } from '../../test/sdk/test-key.ts'
import { failure, result, startWireServer, type WireServer } from '../../test/sdk/wire-server.ts'
import { Vitrine } from './index.ts'

let wire: WireServer
let vitrine: Vitrine

beforeAll(async () => {
  wire = await startWireServer()
  vitrine = new Vitrine({ baseUrl: wire.url, key: testKey('owner') })
})
beforeEach(() => {
  wire.requests = []
})
afterAll(() => wire.close())

/** Serves the pages in turn; the token of a page is its number. */
function servePages(pages: number[][]): void {
  wire.respond = (response, request) => {
    const { pageToken = '0' } = (request.body as { data: { pageToken?: string } }).data
    const next = Number(pageToken) + 1
    const entries = pages[Number(pageToken)]!.map((seq) => ({ seq }))
    result({ entries, nextPageToken: next < pages.length ? String(next) : null })(response, request)
  }
}

async function seqs(entries: AsyncIterable<{ seq: number }>): Promise<number[]> {
  const seen: number[] = []
  for await (const { seq } of entries) seen.push(seq)
  return seen
}

describe('audit.entries', () => {
  it('walks all pages, empty ones too', async () => {
    servePages([[0, 1], [], [2]])
    expect(await seqs(vitrine.audit.entries({ agentId: 'a1', tool: 'search' }))).toEqual([0, 1, 2])
    expect(wire.requests.map(({ body }) => body)).toEqual([
      { data: { agentId: 'a1', tool: 'search' } },
      { data: { agentId: 'a1', tool: 'search', pageToken: '1' } },
      { data: { agentId: 'a1', tool: 'search', pageToken: '2' } },
    ])
  })

  it('fetches no page that is not read', async () => {
    servePages([[0, 1], [2]])
    for await (const { seq } of vitrine.audit.entries({ agentId: 'a1' })) if (seq === 1) break
    expect(wire.requests).toHaveLength(1)
  })

  it('stops at an error and passes it on', async () => {
    wire.respond = failure('permission_denied')
    await expect(seqs(vitrine.audit.entries({ orgId: 'o1' }))).rejects.toMatchObject({
      code: 'permission_denied',
      status: 403,
    })
  })

  it('stops between pages when aborted', async () => {
    servePages([[0], [1]])
    const controller = new AbortController()
    const entries = vitrine.audit.entries({ agentId: 'a1' }, { signal: controller.signal })
    await entries.next()
    controller.abort()
    await expect(entries.next()).rejects.toMatchObject({ code: 'aborted' })
    expect(wire.requests).toHaveLength(1)
  })

  it('does not loop on a token that stays the same', async () => {
    wire.respond = result({ entries: [], nextPageToken: 'same' })
    await expect(seqs(vitrine.audit.entries({ agentId: 'a1' }))).rejects.toMatchObject({ code: 'invalid_response' })
    expect(wire.requests).toHaveLength(2)
  })

  it('takes a missing or empty token for the end', async () => {
    for (const end of [{ nextPageToken: '' }, {}]) {
      wire.respond = result({ entries: [{ seq: 7 }], ...end })
      expect(await seqs(vitrine.audit.entries({ agentId: 'a1' }))).toEqual([7])
    }
    expect(wire.requests).toHaveLength(2)
  })
})

describe('audit.getReceipt', () => {
  it.each([
    ['a forgotten agent', { agentId: undefined, seq: 1 }],
    ['two chains', { agentId: 'a1', orgId: 'o1', seq: 1 }],
    ['no number', {}],
    ['a negative number', { seq: -1 }],
    ['a number as text', { seq: '1' }],
  ])('refuses %s, unsent', async (_, input) => {
    await expect(vitrine.audit.getReceipt(input as { seq: number })).rejects.toMatchObject({ code: 'invalid_argument' })
    expect(wire.requests).toEqual([])
  })

  it('says how far checkpoints reach when they do not reach the entry', async () => {
    wire.respond = failure('receipt_pending', { size: 4 })
    await expect(vitrine.audit.getReceipt({ seq: 4 })).rejects.toMatchObject({
      code: 'receipt_pending',
      retryable: true,
      details: { size: 4 },
    })
  })
})
