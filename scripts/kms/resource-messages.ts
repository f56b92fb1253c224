import { PURPOSES } from './key-material.ts'
import { versionName } from './lookup.ts'
import type { KeyRing, KmsKey } from './keys.ts'

/** Production's default: a version stays restorable for 30 days. */
export const DESTROY_SCHEDULED_SECONDS = 30 * 24 * 3600

export function ringMessage(ring: KeyRing) {
  return { name: ring.name, createTime: timestamp(ring.createTime) }
}

export function keyMessage(key: KmsKey) {
  return {
    name: key.name,
    primary: key.primary === null ? null : versionMessage(key, key.primary),
    purpose: key.purpose,
    createTime: timestamp(key.createTime),
    versionTemplate: { protectionLevel: 'SOFTWARE', algorithm: PURPOSES[key.purpose].algorithm },
    destroyScheduledDuration: { seconds: DESTROY_SCHEDULED_SECONDS },
  }
}

export function versionMessage(key: KmsKey, number: number) {
  const { state, createTime, destroyTime } = key.versions[number - 1]!
  return {
    name: versionName(key, number),
    state,
    protectionLevel: 'SOFTWARE',
    algorithm: PURPOSES[key.purpose].algorithm,
    createTime: timestamp(createTime),
    generateTime: timestamp(createTime),
    ...(destroyTime !== null && {
      [state === 'DESTROYED' ? 'destroyEventTime' : 'destroyTime']: timestamp(destroyTime),
    }),
  }
}

/** RFC 3339 to google.protobuf.Timestamp. */
function timestamp(time: string) {
  const ms = Date.parse(time)
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 }
}
