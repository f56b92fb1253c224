import type { Answer, NamesBelow, Request } from '@vitrine/core/api/contract'
import type { Result } from '@vitrine/core/result'
import type { Principal } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'

/** What of the contract `admin` serves. */
export type OwnerOperationName = NamesBelow<'admin'>

/** One operation of `admin`. The caller is authenticated and the request parsed; whether the caller may do it is the operation's to say. */
export type OwnerOperation<Name extends OwnerOperationName> = (
  parts: Parts,
  by: Principal,
  request: Request<`admin/${Name}`>,
) => Promise<Result<Answer<`admin/${Name}`>>>
