import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { FieldValue, Timestamp } from 'firebase-admin/firestore'
import { describe, expect, it } from 'vitest'
import { db, rpc } from '../e2e/world.ts'

/** The functions' own codec of Firestore's wire form, beside the high-level client, on the emulator. */

const wire = rpc()

// The high-level client takes no path with these characters.
const name = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((text) => !/^__.*__$|[.*~/[\]]/.test(text))
const scalar = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.boolean(),
  fc.constant(null),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(0, -0, NaN, Infinity, 1.5, 2 ** 53, Number.MIN_VALUE),
  // Firestore keeps microseconds.
  fc
    .record({ seconds: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), us: fc.nat(999_999) })
    .map(({ seconds, us }) => new Timestamp(seconds, us * 1000)),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
)
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.oneof(scalar, fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true })), {
      maxLength: 4,
    }),
  ),
}))
const document = fc.dictionary(name, value, { maxKeys: 5, noNullPrototype: true })

async function dataAt(path: string): Promise<unknown> {
  return (await db().doc(path).get()).data()
}

describe('[store.codec] a document', () => {
  it('that one client writes is the same for the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(document, { minLength: 1, maxLength: 20 }), async (documents) => {
        const ours = documents.map(() => `codec/${randomUUID()}`)
        const theirs = documents.map(() => `codec/${randomUUID()}`)
        const batch = db().batch()
        for (const [i, data] of documents.entries()) batch.set(db().doc(theirs[i]!), data)
        await Promise.all([
          batch.commit(),
          wire.commit(documents.map((data, i) => ({ op: 'create', path: ours[i]!, data }))),
        ])
        const [snapshots, found] = await Promise.all([
          db().getAll(...[...ours, ...theirs].map((path) => db().doc(path))),
          wire.get([...ours, ...theirs]),
        ])
        for (const [i, snapshot] of snapshots.entries()) {
          const { data, updateTime } = found.get(snapshot.ref.path)!
          expect(snapshot.data()).toEqual(documents[i % documents.length])
          expect(data).toEqual(snapshot.data())
          expect(updateTime).toEqual(snapshot.updateTime)
        }
      }),
      { numRuns: 40 },
    )
  })

  it('is updated alike, by dotted paths with names of any kind', async () => {
    // The high-level client throws where a path begins with a name that every object inherits, such as `constructor`.
    const own = name.filter((text) => !(text in {}))
    const update = fc.dictionary(
      fc.array(own, { minLength: 1, maxLength: 3 }).map((names) => names.join('.')),
      fc.oneof(value, fc.constant(FieldValue.delete())),
      { minKeys: 1, maxKeys: 4 },
    )
    await fc.assert(
      fc.asyncProperty(document, update, async (before, change) => {
        const [ours, theirs] = [`codec/${randomUUID()}`, `codec/${randomUUID()}`]
        await wire.commit([ours, theirs].map((path) => ({ op: 'create', path, data: before })))
        const outcomes = await Promise.all([
          db().doc(theirs).update(change).then(String, isClash),
          wire.commit([{ op: 'update', path: ours, data: change }]).then(String, isClash),
        ])
        // One path below another is refused, by the client or by Firestore.
        if (outcomes.includes('clash')) return
        expect(await dataAt(ours)).toEqual(await dataAt(theirs))
      }),
      { numRuns: 100 },
    )
  })

  it.each([
    ['undefined', undefined],
    ['a bigint', 1n],
    ['an array in an array', [[1]]],
    ['an object of a class', new URL('http://a.example')],
    ['a function', () => 1],
    ['a transform in a map', { a: FieldValue.increment(1) }],
  ])('with %s is not written', async (_, wrong) => {
    const path = `codec/${randomUUID()}`
    await expect(wire.commit([{ op: 'set', path, data: { wrong } }])).rejects.toThrow(TypeError)
    expect(await wire.get([path])).toEqual(new Map())
  })
})

describe('[store.codec] a write', () => {
  it('fails with all others of its commit when its precondition does', async () => {
    const [there, missing, beside] = [1, 2, 3].map(() => `codec/${randomUUID()}`) as [string, string, string]
    await wire.commit([{ op: 'set', path: there, data: { n: 1 } }])
    const version = (await wire.get([there])).get(there)!.updateTime
    await wire.commit([{ op: 'update', path: there, data: { n: 2 }, version }])
    const failing = [
      { op: 'create', path: there, data: {} },
      { op: 'update', path: there, data: { n: 3 }, version },
      { op: 'update', path: missing, data: { n: 3 } },
      { op: 'delete', path: there, version },
    ] as const
    for (const write of failing) {
      const refused = wire.commit([{ op: 'set', path: beside, data: {} }, write])
      await expect(refused, write.op).rejects.toMatchObject({ code: expect.any(Number) as number })
    }
    const found = await wire.get([there, missing, beside])
    expect([...found].map(([path, { data }]) => [path, data])).toEqual([[there, { n: 2 }]])
    await wire.commit([{ op: 'delete', path: there, version: found.get(there)!.updateTime }])
    expect(await wire.get([there])).toEqual(new Map())
  })
})

it('[store.codec] the last document of a collection is the one with the largest field', async () => {
  const collection = `codec/${randomUUID()}/audit`
  expect(await wire.last(collection, 'first')).toBeUndefined()
  await wire.commit([3, 10, 7].map((first) => ({ op: 'set', path: `${collection}/${first}`, data: { first } })))
  expect((await wire.last(collection, 'first'))?.data).toEqual({ first: 10 })
})

function isClash(error: Error): string {
  if (/ambiguous|lies below another|merge/i.test(error.message)) return 'clash'
  throw error
}
