import { describe, expect, it } from 'vitest'
import { canonicalize } from '@vitrine/core/json/jcs'
import { listVectors, readVector, vectors } from './files.ts'

describe.runIf(vectors !== undefined)('standard JCS vectors', () => {
  const inputs = vectors === undefined ? [] : listVectors('jcs', 'testdata', 'input')

  it.each(inputs)('%s', (file) => {
    const canonical = Buffer.from(canonicalize(JSON.parse(readVector('jcs', 'testdata', 'input', file).toString())))
    const hex = readVector('jcs', 'testdata', 'outhex', file.replace(/\.json$/, '.txt'))
      .toString()
      .replaceAll(/\s/g, '')
    expect(canonical.toString('hex')).toBe(hex)
    expect(canonical.toString()).toBe(readVector('jcs', 'testdata', 'output', file).toString())
  })

  it('leaves no file out', () => {
    expect(listVectors('jcs', 'testdata')).toHaveLength(3 * inputs.length)
    expect(inputs.length).toBeGreaterThanOrEqual(6)
  })
})
