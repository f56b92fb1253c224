import { describe, expect, it } from 'vitest'
import { base64ToBytes } from '@vitrine/core/bytes'
import { verifyConsistency, verifyInclusion, verifySubtreeConsistency } from '@vitrine/core/log/merkle'
import { listVectors, readVector, vectors } from './files.ts'

/** One file: numbers are sizes and indexes, other strings are base64. */
interface Vector {
  desc: string
  wantErr: boolean
  proof: string[] | null
  [field: string]: unknown
}

const hash = (vector: Vector, field: string) => base64ToBytes(String(vector[field]))
const count = (vector: Vector, field: string) => {
  if (typeof vector[field] !== 'number') throw new TypeError(`${field} is no number`)
  return vector[field]
}
const proofOf = (vector: Vector) => (vector.proof ?? []).map(base64ToBytes)

const FAMILIES: Record<string, (vector: Vector) => boolean> = {
  inclusion: (v) =>
    verifyInclusion({
      index: count(v, 'leafIdx'),
      size: count(v, 'treeSize'),
      leafHash: hash(v, 'leafHash'),
      root: hash(v, 'root'),
      proof: proofOf(v),
    }),
  consistency: (v) =>
    verifyConsistency({
      size1: count(v, 'size1'),
      size2: count(v, 'size2'),
      root1: hash(v, 'root1'),
      root2: hash(v, 'root2'),
      proof: proofOf(v),
    }),
  subtreeconsistency: (v) =>
    verifySubtreeConsistency({
      start: count(v, 'start'),
      end: count(v, 'end'),
      size: count(v, 'size'),
      subtreeRoot: hash(v, 'root1'),
      root: hash(v, 'root2'),
      proof: proofOf(v),
    }),
}

/** Vitrine never proves that a leaf is in a subtree. */
const UNUSED = /^subtreeinclusion\//

describe.runIf(vectors !== undefined)('standard Merkle vectors', () => {
  const files = vectors === undefined ? [] : listVectors('merkle', 'testdata').filter((file) => !UNUSED.test(file))

  it('hold, each as it says', () => {
    expect(files.length).toBeGreaterThan(300)
    const surprises = files.flatMap((file) => {
      const vector = JSON.parse(readVector('merkle', 'testdata', file).toString()) as Vector
      const verify = FAMILIES[file.split('/')[0]!]
      if (verify === undefined) return [`${file}: a family of vectors that no verifier is known for`]
      return verify(vector) === !vector.wantErr ? [] : [`${file}: ${vector.desc}`]
    })
    expect(surprises).toEqual([])
  })
})
