import { expect, test } from 'vitest'
import { createProgress } from './progress.ts'

function run(isTTY: boolean, totalBytes: number | undefined, stepMs: number): string {
  let nowMs = 0
  let written = ''
  const progress = createProgress({ isTTY, write: (text) => (written += text) }, totalBytes, () => nowMs)
  for (let n = 0; n < 20; n++) {
    nowMs += stepMs
    progress.add(50, 10)
  }
  progress.finish()
  return written
}

test('short work is silent', () => {
  expect(run(true, 1000, 1)).toBe('')
  expect(run(false, 1000, 1)).toBe('')
})

test('a terminal gets a bar, which is taken away', () => {
  const written = run(true, 1000, 200)
  expect(written).toContain('[###############...............] 50% 100 lines')
  expect(written.endsWith('\r\x1b[K')).toBe(true)
})

test('without a terminal there is a plain line for each tenth', () => {
  expect(run(false, 1000, 300).split('\n').slice(0, 3)).toEqual(['10% (20 lines)', '20% (40 lines)', '30% (60 lines)'])
  expect(run(false, undefined, 300)).toBe('')
})

test('a stream of unknown length counts lines', () => {
  expect(run(true, undefined, 200)).toContain('\r\x1b[K100 lines')
})
