/** An error in the input or its handling, not in the chain: the process exits with code 2. */
export interface BadInput extends Error {
  code: 'bad_input'
}

/** `message` is one line for a person. */
export function badInput(message: string): BadInput {
  return Object.assign(new Error(message), { code: 'bad_input' as const })
}

export function isBadInput(error: unknown): error is BadInput {
  return error instanceof Error && 'code' in error && error.code === 'bad_input'
}
