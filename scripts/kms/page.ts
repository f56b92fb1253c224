import { kmsError } from './status.ts'
import type { ListRequest } from './messages.ts'

const PAGE_SIZE_DEFAULT = 100
const PAGE_SIZE_MAX = 1000

/**
 * One page of `all`. The token is the name of the last item sent, so that what is added meanwhile shifts nothing.
 * Errors: INVALID_ARGUMENT for a negative size or a token of another list; UNIMPLEMENTED for filter and order_by.
 */
export function page<T extends { name: string }>(
  request: ListRequest,
  all: T[],
): { items: T[]; nextPageToken: string; totalSize: number } {
  const { pageSize, pageToken, filter, orderBy } = request
  if (filter !== '' || orderBy !== '') throw kmsError('UNIMPLEMENTED', 'The local KMS has no filter and no order_by.')
  if (pageSize < 0) throw kmsError('INVALID_ARGUMENT', 'The field page_size must not be negative.')
  const after = pageToken === '' ? -1 : all.findIndex((item) => token(item) === pageToken)
  if (after < 0 && pageToken !== '') throw kmsError('INVALID_ARGUMENT', 'The field page_token is not one of this list.')
  const items = all.slice(after + 1, after + 1 + Math.min(pageSize || PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX))
  const last = items.at(-1)
  const more = last !== undefined && last !== all.at(-1)
  return { items, nextPageToken: more ? token(last) : '', totalSize: all.length }
}

function token(item: { name: string }): string {
  return Buffer.from(item.name).toString('base64url')
}
