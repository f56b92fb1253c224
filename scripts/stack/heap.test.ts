/** The size of the emulator's heap, and the lines of Java's log; test/stack/heap.test.ts fills a real one. */
import { describe, expect, test } from 'vitest'
import { heapFor, oldUsedMib } from './heap.ts'

const GIB = 2 ** 30

describe('the heap', () => {
  test.each([
    [2 * GIB, { totalMib: 512, oldMib: 448 }],
    [GIB / 4, { totalMib: 512, oldMib: 448 }],
    [8 * GIB, { totalMib: 2_048, oldMib: 1_792 }],
    [256 * GIB, { totalMib: 4_096, oldMib: 3_584 }],
  ])('is a quarter of the memory within bounds: %d bytes', (memory, heap) => {
    expect(heapFor({}, memory)).toEqual(heap)
    expect(heapFor({ VITRINE_FIRESTORE_HEAP_MIB: '' }, memory)).toEqual(heap)
  })

  test('is what the environment names', () => {
    expect(heapFor({ VITRINE_FIRESTORE_HEAP_MIB: '8192' }, GIB)).toEqual({ totalMib: 8_192, oldMib: 7_168 })
  })

  test.each(['255', '65537', '1.5', '2g', '-1', 'NaN'])('is refused: %s', (text) => {
    expect(() => heapFor({ VITRINE_FIRESTORE_HEAP_MIB: text }, GIB)).toThrow(
      `VITRINE_FIRESTORE_HEAP_MIB must be a whole number of MiB from 256 to 65536, not ${text}.`,
    )
  })
})

describe("Java's log of its collections", () => {
  test('of Java 17 and later tells the last size of the old generation', () => {
    const log = [
      '[42.837s] GC(27) Tenured: 98602K(174784K)->102059K(174784K)',
      '[44.105s] GC(28) DefNew: 77526K(78656K)->7676K(78656K) Eden: 69952K(69952K)->0K(69952K)',
      '[44.105s] GC(28) Tenured: 102059K(174784K)->104448K(174784K)',
      '[44.105s] GC(29) DefNew: 77526K(78656K)->7676K(78656K) Eden: 69952K(69952K)->0K(69952K)',
    ]
    expect(oldUsedMib(log.join('\n'))).toBe(102)
  })

  test('of Java 11 tells it too', () => {
    expect(oldUsedMib('[1.2s] GC(0) Tenured: 1024K->2048K(10240K)\n')).toBe(2)
  })

  test('tells nothing before the first collection', () => {
    expect(oldUsedMib('')).toBe(null)
  })
})
