import { expect, test } from 'vitest'
import { createSlots, type Holder } from './slots.ts'

function holder(since: number | null, evicted: string[], name: string): Holder {
  return { idleSince: () => since, evict: async () => void evicted.push(name) }
}

test('the holder idle for longest makes room, and nobody who is busy', async () => {
  const evicted: string[] = []
  const slots = createSlots(3)
  const all = [holder(20, evicted, 'later'), holder(10, evicted, 'longest'), holder(null, evicted, 'busy')]
  for (const one of all) expect(await slots.take(one)).toBe(true)
  const busy = [1, 2, 3].map((n) => holder(null, evicted, `new ${n}`))
  expect(await Promise.all(busy.map((one) => slots.take(one)))).toEqual([true, true, false])
  expect(evicted).toEqual(['longest', 'later'])
  slots.give(all[2]!)
  expect(await slots.take(busy[2]!)).toBe(true)
})

test('those who ask at the same time are never more than there are slots', async () => {
  const slots = createSlots(2)
  const taken = await Promise.all(Array.from({ length: 5 }, () => slots.take(holder(null, [], ''))))
  expect(taken.filter(Boolean)).toHaveLength(2)
})
