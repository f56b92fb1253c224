import type { Readable, Writable } from 'node:stream'

/** What vitrine-verify uses of the process that it is, or of what stands for one. */
export interface Process {
  argv: string[]
  env: Record<string, string | undefined>
  /** The folder that paths among the arguments start from. */
  cwd(): string
  stdin: Readable
  stdout: Writable
  stderr: Writable & { isTTY?: boolean }
  exit(code: number): void
}
