import type { Action, Entry } from '@vitrine/core/entry'
import type { Outcome } from '@vitrine/core/facets'
import { AUDIT_PAGE_MAX } from '@vitrine/core/limits'
import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'
import { VitrineError } from './error.ts'

/** Which entries: of one agent's chain, or of an organization. All the rest narrows it down. */
export type AuditQuery = AuditFilter & ({ agentId: string; orgId?: never } | { orgId: string; agentId?: never })

export interface AuditFilter {
  tool?: string
  action?: Action
  /** `agent:{id}`, `user:{uid}` or `system:{name}`. */
  actor?: string
  outcome?: Outcome
  /** RFC 3339, inclusive. */
  from?: string
  to?: string
  /** At most 500. */
  pageSize?: number
}

export interface AuditPage {
  entries: Entry[]
  /** Pass it as `pageToken` for the next page; null after the last. A page may be empty and yet have a next one. */
  nextPageToken: string | null
}

export interface Audit {
  /** Owner or auditor: one page of entries, newest first. */
  list(input: AuditQuery & { pageToken?: string }, options?: CallOptions): Promise<AuditPage>
  /** Owner or auditor: all entries, newest first, fetched page by page as they are read. */
  entries(input: AuditQuery, options?: CallOptions): AsyncGenerator<Entry, void, undefined>
}

const LIST: check.Checks<AuditQuery & { pageToken?: string }> = {
  agentId: check.optional(check.id),
  orgId: check.optional(check.id),
  tool: check.optional(check.toolName),
  action: check.optional(check.term),
  actor: check.optional(check.term),
  outcome: check.optional(check.oneOf('ok', 'failed', 'denied', 'unknown')),
  from: check.optional(check.time),
  to: check.optional(check.time),
  pageToken: check.optional(check.pageToken),
  pageSize: check.optional(check.whole(1, AUDIT_PAGE_MAX)),
}

export function createAudit(call: Call): Audit {
  async function list(input: AuditQuery & { pageToken?: string }, options?: CallOptions): Promise<AuditPage> {
    check.checkFields(input, LIST)
    if ((input.agentId === undefined) === (input.orgId === undefined)) {
      throw new VitrineError('invalid_argument', { message: 'Give either agentId or orgId.' })
    }
    const page = await call<AuditPage>('admin/listAudit', input, { entries: 'array' }, options)
    return { entries: page.entries, nextPageToken: page.nextPageToken || null }
  }

  async function* entries(input: AuditQuery, options?: CallOptions): AsyncGenerator<Entry, void, undefined> {
    let pageToken: string | null = null
    do {
      const page: AuditPage = await list(pageToken === null ? input : { ...input, pageToken }, options)
      yield* page.entries
      if (page.nextPageToken !== null && page.nextPageToken === pageToken) {
        throw new VitrineError('invalid_response', { message: 'The server gave the same page token twice.' })
      }
      pageToken = page.nextPageToken
    } while (pageToken !== null)
  }

  return { list, entries }
}
