import { isContainer, type JsonValue } from '@vitrine/core/json/value'

/**
 * Counts the steps of one check. Many small schemas on many small values are a lot of work, which no limit on either
 * size shows.
 */
export interface Meter {
  spend(steps: number): void
  /**
   * Charges for a schema that is about to look at a value. The errors found so far are copied around, so they cost too.
   */
  look(once: number, perPart: number, value: JsonValue, errors: unknown[] | null): void
  /** The result of the check; 'too-long' if it was stopped, 'failed' if it threw. */
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
        // RangeError: references nest deeper than the stack allows.
        return error === SPENT || error instanceof RangeError ? 'too-long' : 'failed'
      }
    },
  }
}

function partsOf(value: JsonValue): number {
  if (!isContainer(value)) return 1
  return 1 + (Array.isArray(value) ? value.length : Object.keys(value).length)
}
