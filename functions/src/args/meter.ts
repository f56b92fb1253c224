import type { JsonValue } from '@vitrine/core/json/value'

/** Counts what one check does. Many small schemas applied to many small values are a lot of work, which no bound of either shows. */
export interface Meter {
  spend(steps: number): void
  /** For a schema that is about to look at a value; `errors` found so far are copied around, so they cost too. */
  look(once: number, perPart: number, value: JsonValue, errors: unknown[] | null): void
  /** What the check gives; 'too-long' when it was stopped, 'failed' when it threw. */
  run<T>(check: () => T): T | 'too-long' | 'failed'
}

/** A step takes about 20 ns, some of a pattern's up to 70. */
const STEPS_MAX = 4_000_000

const SPENT = new Error('The check takes too long.')

export function createMeter(): Meter {
  let left = 0

  function spend(steps: number): void {
    left -= steps
    if (left < 0) throw SPENT
  }

  return {
    spend,
    look: (once, perPart, value, errors) => spend(once + perPart * partsOf(value) + (errors?.length ?? 0)),
    run: (check) => {
      left = STEPS_MAX
      try {
        return check()
      } catch (error) {
        // RangeError: references lead deeper than the stack.
        return error === SPENT || error instanceof RangeError ? 'too-long' : 'failed'
      }
    },
  }
}

function partsOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 1
  return 1 + (Array.isArray(value) ? value.length : Object.keys(value).length)
}
