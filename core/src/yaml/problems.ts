/** What is wrong with a configuration file, and where. */
export interface Problem {
  /** Counted from 1, as editors do. */
  line: number
  column: number
  message: string
}

/** `worker.yaml:12:7 message`, one line a problem, in the order of the file. */
export function describeProblems(file: string, problems: readonly Problem[]): string {
  return problems.map(({ line, column, message }) => `${file}:${line}:${column} ${message}`).join('\n')
}
