import { expect, test } from 'vitest'
import { createCpuMeter } from './cpu.ts'

test('a server within its share is never paused', () => {
  const meter = createCpuMeter(500)
  for (let second = 0; second < 100; second++) expect(meter.pauseMs(second * 499, second * 1000)).toBe(0)
})

test('one beyond it is paused once its savings are used up, for as long as it takes to keep to its share', () => {
  const meter = createCpuMeter(500)
  // It starts with ten seconds of half a processor saved, and each second uses half a second more than its share.
  for (let second = 0; second <= 10; second++) expect(meter.pauseMs(second * 1000, second * 1000)).toBe(0)
  expect(meter.pauseMs(10_200, 10_200)).toBeCloseTo(200)
  expect(meter.pauseMs(10_200, 10_400)).toBe(0)
  expect(meter.pauseMs(20_000, 11_400)).toBe(1_000)
})

test('idle time is saved, but no more than ten seconds', () => {
  const meter = createCpuMeter(1000)
  meter.pauseMs(0, 0)
  expect(meter.pauseMs(0, 3_600_000)).toBe(0)
  expect(meter.pauseMs(10_500, 3_600_000)).toBeCloseTo(500)
})

test('processor time that vanishes with a process is not given back', () => {
  const meter = createCpuMeter(1000)
  meter.pauseMs(20_000, 0)
  expect(meter.pauseMs(100, 0)).toBe(0)
  expect(meter.pauseMs(10_200, 0)).toBeCloseTo(100)
})
