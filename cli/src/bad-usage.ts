/** Marks what the user has to put right: arguments, settings, files. Exit code 2. */
export interface BadUsage extends Error {
  code: 'bad_usage'
}

/** `message`: one line for a person, without a full stop. */
export function badUsage(message: string): BadUsage {
  return Object.assign(new Error(message), { code: 'bad_usage' as const })
}

export function isBadUsage(error: unknown): error is BadUsage {
  return error instanceof Error && 'code' in error && error.code === 'bad_usage'
}
