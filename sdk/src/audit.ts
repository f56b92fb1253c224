import type { Entry } from '@vitrine/core/log/entry'
import type { Call } from './call.ts'
import { checkRequest } from './check.ts'
import { VitrineError } from './error.ts'
import { exportLines } from './export.ts'
import type { Input, Methods } from './operations.ts'
import type { CallOptions } from './options.ts'
import { verifyReceipt, type VerifiedReceipt, type VerifyReceiptOptions } from './receipt.ts'
import type { Stream } from './stream.ts'
import type { ReceiptProof } from './types.ts'

export interface AuditReading {
  /** Owner or auditor: all entries, newest first, fetched page by page as they are read. */
  entries(input: Input<'admin/listAudit'>, options?: CallOptions): AsyncGenerator<Entry, void, undefined>
  /**
   * The proof that an entry is on record: for an agent of its own chain, for owners and auditors of the chain they name.
   * `receipt_pending` until a checkpoint covers the entry. It proves something once it is verified.
   */
  getReceipt(input: Input<'getReceipt'> | Input<'admin/getReceipt'>, options?: CallOptions): Promise<ReceiptProof>
  /** Anybody, offline: the plain function of the same name. */
  verifyReceipt(receipt: ReceiptProof | string, options: VerifyReceiptOptions): Promise<VerifiedReceipt>
  /**
   * Owner or auditor: everything about a chain, or all chains of an organization, as lines of JSON for `vitrine-verify`,
   * without their newlines. A broken connection is resumed. To go on after an error, drop what follows the last `chain` or `entry` line
   * and pass `resume`; `conflict` says that this is impossible.
   */
  export(input: Input<'exportAudit'>, options?: CallOptions): AsyncGenerator<string, void, undefined>
}

export function createReading(call: Call, stream: Stream, { list }: Methods['audit']): AuditReading {
  return {
    async *entries(input, options) {
      let { pageToken } = input
      while (true) {
        const page = await list(pageToken === undefined ? input : { ...input, pageToken }, options)
        yield* page.entries
        if (!page.nextPageToken) return
        if (page.nextPageToken === pageToken)
          throw new VitrineError('invalid_response', { message: 'The server gave the same page token twice.' })
        pageToken = page.nextPageToken
      }
    },
    verifyReceipt,
    getReceipt: async (input, options) =>
      'agentId' in input || 'orgId' in input
        ? call('admin/getReceipt', input, options)
        : call('getReceipt', input, options),
    async *export(input, options) {
      checkRequest('exportAudit', input)
      yield* exportLines(stream, input, options)
    },
  }
}
