import { status } from '@grpc/grpc-js'

/** A failure as gRPC sends it: `code` is google.rpc.Code, `details` the text that the client sees. */
export interface KmsError extends Error {
  code: number
  details: string
}

export type KmsStatus = keyof typeof status

export function kmsError(code: KmsStatus, message: string): KmsError {
  return Object.assign(new Error(message), { code: status[code], details: message })
}

/** True for what kmsError made. Errors of Node carry a text as `code`. */
export function isKmsError(error: unknown): error is KmsError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number'
}
