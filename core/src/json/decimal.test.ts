import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareDecimals, decimalOf, isInteger, isMultipleOf, simplest } from './decimal.ts'
import { literalOf, numberOf } from './number-literal.ts'

const of = (literal: string) => decimalOf(numberOf(literal))
const compare = (a: string, b: string) => Math.sign(compareDecimals(of(a), of(b)))

describe('decimals', () => {
  it.each([
    ['725653563933458432', '725653563933458433', -1],
    ['725653563933458432', '725653563933458400', 1],
    ['-725653563933458432', '-725653563933458433', 1],
    ['9007199254740993', '9007199254740993.0', 0],
    ['1.0', '1', 0],
    ['1E5', '100000', 0],
    ['-0', '0', 0],
    ['-0.0', '0e99', 0],
    ['0', '1e-400', -1],
    ['0', '-1e-400', 1],
    ['-1e-400', '1e-400', -1],
    ['1e400', '9.99e399', 1],
    ['1e400', '-1e401', 1],
    ['0.1000000000000000055', '0.1', 1],
    ['0.30000000000000004', '0.3', 1],
    ['1e99999999999999999999', '1e99999999999999999998', 1],
    ['-1e-99999999999999999999', '0', -1],
    ['123.45', '12345e-2', 0],
    ['100', '20', 1],
    ['1e21', '1000000000000000000000', 0],
  ])('%s and %s compare as %i', (a, b, expected) => {
    expect(compare(a, b)).toBe(expected)
    expect(compare(b, a)).toBe(expected === 0 ? 0 : -expected)
    expect(literalOf(simplest(numberOf(a))) === literalOf(simplest(numberOf(b)))).toBe(expected === 0)
  })

  it.each([
    ['1.0', true],
    ['-0', true],
    ['1e400', true],
    ['725653563933458432', true],
    ['12.50', false],
    ['1250e-2', false],
    ['1200e-2', true],
    ['1e-400', false],
    ['725653563933458432.5', false],
    ['725653563933458432.0', true],
  ])('%s is an integer: %s', (literal, expected) => {
    expect(isInteger(of(literal))).toBe(expected)
  })

  it.each([
    ['19.99', '0.01', true],
    ['0.3', '0.1', true],
    ['0.30000000000000004', '0.1', false],
    ['725653563933458432', '2', true],
    ['725653563933458433', '2', false],
    ['725653563933458432', '128', true],
    ['725653563933458433', '3', 725653563933458433n % 3n === 0n],
    ['1e400', '7', 10n ** 400n % 7n === 0n],
    ['1e400', '1000', true],
    ['1e400', '0.5', true],
    ['7e400', '7', true],
    ['0.0', '7', true],
    ['5', '10', false],
    ['1e-400', '1', false],
    ['-9', '3', true],
    ['1e99999999999999999999', '3', false],
    ['6e99999999999999999999', '3', true],
    ['1', '1e400', false],
    ['3e400', '1.5e400', true],
  ])('%s is a multiple of %s: %s', (number, divisor, expected) => {
    expect(isMultipleOf(of(number), of(divisor))).toBe(expected)
  })

  it('agree with integers of any size', () => {
    const big = fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n })
    fc.assert(
      fc.property(big, big, fc.nat({ max: 40 }), (a, b, zeros) => {
        const scaled = a * 10n ** BigInt(zeros)
        expect(compare(`${a}e${zeros}`, String(b))).toBe(scaled < b ? -1 : scaled > b ? 1 : 0)
        if (b !== 0n) expect(isMultipleOf(of(`${a}e${zeros}`), of(String(b)))).toBe(scaled % b === 0n)
      }),
    )
  })

  it('take time by their digits, not by their exponents', () => {
    const long = of(`${'7'.repeat(200_000)}e${'9'.repeat(1_000)}`)
    expect(compareDecimals(long, of('1'))).toBe(1)
    expect(isMultipleOf(long, of('7'))).toBe(true)
    expect(simplest(numberOf(`1${'0'.repeat(100_000)}`))).toEqual(numberOf('1e100000'))
  })
})
