/** How the demo speaks: numbered steps, what happened in them, and checks that end it when they do not hold. */
export interface Stage {
  step(title: string): void
  say(line: string): void
  /** Rows of columns; the first is the head. */
  table(rows: readonly (readonly string[])[]): void
  /** Throws when it does not hold. */
  check(promise: string, holds: boolean): void
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

/** Enough of a secret to recognize it by. */
export function masked(secret: string): string {
  return `${secret.slice(0, 8)}…${secret.slice(-2)} (${secret.length} characters)`
}
