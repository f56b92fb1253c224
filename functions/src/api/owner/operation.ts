import type { Answer, NamesBelow, Request } from '@vitrine/core/api/contract'
import type { Result } from '@vitrine/core/result'
import type { Principal } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'

/** The contract's operations that `admin` serves. */
export type OwnerOperationName = NamesBelow<'admin'>

/**
 * One operation of `admin`. The caller is authenticated and the request parsed; the operation itself checks permission.
 */
export type OwnerOperation<Name extends OwnerOperationName> = (
  parts: Parts,
  by: Principal,
  request: Request<`admin/${Name}`>,
) => Promise<Result<Answer<`admin/${Name}`>>>
