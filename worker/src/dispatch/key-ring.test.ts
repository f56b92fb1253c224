import { expect, test } from 'vitest'
import type { DispatchKey } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'
import { createKeyRing, type KeyRing } from './key-ring.ts'
import { newSigner } from './token.fixture.ts'

/** A ring whose control plane gives these answers in turn, and repeats the last. */
function ringOf(...answers: (() => Result<DispatchKey[]> | Promise<Result<DispatchKey[]>>)[]): {
  ring: KeyRing
  asked: () => number
  pass: (ms: number) => void
} {
  let asked = 0
  let now = 0
  const ask = async () => answers[Math.min(asked++, answers.length - 1)]!()
  return { ring: createKeyRing({ ask, now: () => now }), asked: () => asked, pass: (ms) => (now += ms) }
}

async function found(ring: KeyRing, kid: string): Promise<string> {
  const key = await ring.find(kid)
  return key.ok ? 'found' : key.error.code
}

test('a known key costs no question, an unknown one a single one for all who wait for it', async () => {
  const { key } = await newSigner()
  const { ring, asked } = ringOf(() => ok([key]))
  expect(await Promise.all([found(ring, key.kid), found(ring, key.kid), found(ring, key.kid)])).toEqual([
    'found',
    'found',
    'found',
  ])
  expect(await found(ring, key.kid)).toBe('found')
  expect(asked()).toBe(1)
})

test('who came while an older question was under way asks again before the key counts as unknown', async () => {
  const [old, young] = [(await newSigner()).key, (await newSigner()).key]
  const answered = Promise.withResolvers<Result<DispatchKey[]>>()
  const { ring, asked } = ringOf(
    () => answered.promise,
    () => ok([old, young]),
  )
  const first = found(ring, old.kid)
  const second = found(ring, young.kid)
  answered.resolve(ok([old]))
  expect(await Promise.all([first, second])).toEqual(['found', 'found'])
  expect(asked()).toBe(2)
})

test('made-up key ids are not turned into load', async () => {
  const { ring, asked, pass } = ringOf(() => ok([]))
  const codes = []
  for (let i = 0; i < 15; i++) codes.push(await found(ring, `made-up-${i}`))
  expect(codes).toEqual([...Array<string>(10).fill('invalid_key'), ...Array<string>(5).fill('unavailable')])
  expect(asked()).toBe(10)
  pass(1_000)
  expect([await found(ring, 'x'), await found(ring, 'y')]).toEqual(['invalid_key', 'unavailable'])
})

test('a key that is named no more is forgotten, and one is not believed for ever', async () => {
  const [a, b] = [(await newSigner()).key, (await newSigner()).key]
  const { ring, asked, pass } = ringOf(() => ok([b]))
  await ring.replace([a, b])
  expect(await found(ring, a.kid)).toBe('found')
  pass(599_999)
  expect(await found(ring, a.kid)).toBe('found')
  pass(1)
  expect([await found(ring, a.kid), await found(ring, b.kid), asked()]).toEqual(['invalid_key', 'found', 1])
})

test('a control plane that does not answer is no reason to call a key forged', async () => {
  const { key } = await newSigner()
  const { ring } = ringOf(
    () => fail('unavailable'),
    () => ok([key]),
  )
  expect([await found(ring, key.kid), await found(ring, key.kid)]).toEqual(['unavailable', 'found'])
})

test('a key that is none leaves the others of use', async () => {
  const { key } = await newSigner()
  const { ring } = ringOf(() => ok([{ kid: 'bad', publicKey: 'AAAA' }, key]))
  expect([await found(ring, key.kid), await found(ring, 'bad')]).toEqual(['found', 'invalid_key'])
})
