/** Prints the demo: numbered steps, what happens in each, and checks. A check that fails ends the demo. */
export interface Stage {
  step(title: string): void
  say(line: string): void
  /** Prints rows of columns; the first row is the head. */
  table(rows: readonly (readonly string[])[]): void
  /** Prints the promise when it holds, and throws otherwise. */
  check(promise: string, holds: boolean): void
  /** How many checks have passed. */
  checks(): number
}

export function createStage(print: (line: string) => void): Stage {
  let steps = 0
  let checks = 0
  return {
    step(title) {
      steps++
      print(`\n${steps}. ${title}`)
    },
    say: (line) => print(`   ${line}`),
    table(rows) {
      const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
      for (const row of rows)
        print(
          `   ${row
            .map((cell, column) => cell.padEnd(widths[column]!))
            .join('  ')
            .trimEnd()}`,
        )
    },
    check(promise, holds) {
      if (!holds) throw new Error(`this does not hold: ${promise}`)
      checks++
      print(`   [ok] ${promise}`)
    },
    checks: () => checks,
  }
}

/** Shows enough of a secret to recognize it. */
export function masked(secret: string): string {
  return `${secret.slice(0, 8)}…${secret.slice(-2)} (${secret.length} characters)`
}
