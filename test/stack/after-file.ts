/**
 * What shared modules of the system tests have to undo after each test file. The files of one vitest worker share their
 * modules, so a hook at the top level of such a module would run for the first file alone; check-answers.ts runs for each.
 */
const tasks = new Set<() => unknown>()

/** Runs a task once when the current test file has ended, however often it is given. */
export function afterFile(task: () => unknown): void {
  tasks.add(task)
}

/** Runs all tasks at the same time and forgets them. */
export async function endFile(): Promise<void> {
  const ended = [...tasks].map(async (task) => task())
  tasks.clear()
  await Promise.all(ended)
}
