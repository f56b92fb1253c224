/** What a command has of the world. */
export interface Io {
  env: Record<string, string | undefined>
  /** The folder that paths among the arguments start from. */
  cwd: string
  /** All of standard input. */
  input(): Promise<string>
  /** To standard output; resolves when there is room for more. */
  out(text: string): Promise<void>
  /** A line beside the output, to standard error. */
  note(line: string): void
}

/** Runs with what follows its name; returns the exit code. */
export type Run = (args: string[], io: Io) => Promise<number>

export interface Command {
  /** One line for the list of commands. */
  summary: string
  /** What `--help` prints. */
  usage: string
  run: Run
}
