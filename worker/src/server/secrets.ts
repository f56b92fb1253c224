import type { JsonObject } from '@vitrine/core/json/value'
import { createScrubber } from '@vitrine/core/scrub/scrub'

/**
 * Scrubs a process's secrets from its output. It keeps them while the process runs, which has them in its own memory
 * anyway; nothing else in the worker does.
 */
export interface Secrets {
  text(text: string): string
  object(value: JsonObject): JsonObject
}

/** Shorter lines of a secret with several lines (a PEM key) are not searched for by themselves. */
const LINE_LENGTH_MIN = 8

export function createSecrets(values: string[]): Secrets {
  const lines = values
    .filter((value) => value.includes('\n'))
    .flatMap((value) => value.split(/\r?\n/).filter((line) => line.length >= LINE_LENGTH_MIN))
  const scrubbers = [...new Set([...values, ...lines])]
    .filter((value) => value !== '')
    .map((value) => createScrubber(value, { scheme: 'bearer' }))
  return {
    text: (text) => scrubbers.reduce((scrubbed, scrubber) => scrubber.text(scrubbed).text, text),
    object(value) {
      let scrubbed = value
      for (const scrubber of scrubbers) {
        const { answer } = scrubber.answer({ type: 'json', value: scrubbed })
        if (answer.type === 'json') scrubbed = answer.value as JsonObject
      }
      return scrubbed
    },
  }
}
