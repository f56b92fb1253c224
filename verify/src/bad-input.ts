/** Marks what is wrong with the input or its handling, as opposed to what is wrong with the chain: exit code 2. */
export interface BadInput extends Error {
  code: 'bad_input'
}

/** `message`: one line for a person. */
export function badInput(message: string): BadInput {
  return Object.assign(new Error(message), { code: 'bad_input' as const })
}

export function isBadInput(error: unknown): error is BadInput {
  return error instanceof Error && 'code' in error && error.code === 'bad_input'
}
