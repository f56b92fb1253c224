import { isObject } from '@vitrine/core/json/value'
import { COSIGNATURE_V1, parseVerifierKey } from '@vitrine/core/log/note'
import type { Witness } from './parts.ts'

/**
 * `VITRINE_WITNESSES`: `[{"url": submission prefix, "vkey": verifier key of a cosigner}]`. Throws on anything else.
 * Every instance reads it at its start, when nothing else needs zod yet: so it is checked by hand.
 */
export function readWitnesses(json: string | undefined): Witness[] {
  if (!json) return []
  const list: unknown = JSON.parse(json)
  if (!Array.isArray(list)) throw new Error('VITRINE_WITNESSES is not a list')
  return list.map(readWitness)
}

function readWitness(witness: unknown): Witness {
  const { url, vkey, ...others } = isObject(witness) ? witness : {}
  if (typeof url !== 'string' || typeof vkey !== 'string' || Object.keys(others).length > 0)
    throw new Error('VITRINE_WITNESSES: a witness is {"url", "vkey"}')
  if (!/^https?:\/\/./.test(url) || !URL.canParse(url))
    throw new Error(`VITRINE_WITNESSES: ${url} is not the address of a witness`)
  const key = parseVerifierKey(vkey)
  if (!key.ok || key.value.type !== COSIGNATURE_V1)
    throw new Error(`VITRINE_WITNESSES: ${vkey} is not the key of a cosigner`)
  return { url: url.replace(/\/+$/, ''), key: key.value }
}
