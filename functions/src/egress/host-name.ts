/**
 * Names that mean something else inside than outside, or nothing outside at all. What they resolve to is checked as well;
 * this is for networks in which they resolve to public addresses, and for a clear answer at registration.
 * `internal` (ICANN, 2024: private use) is the zone of Google's metadata server and of all Compute Engine names; `localhost` RFC 6761,
 * `local` RFC 6762 and the others of its appendix G, `home.arpa` RFC 8375, `onion` RFC 7686; `localdomain` and `svc` by custom.
 */
const LOCAL_ZONES = [
  'internal',
  'localhost',
  'local',
  'home.arpa',
  'localdomain',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'svc',
  'onion',
]

/** Metadata servers by name: in a local zone or without one by their first label, and under public names. */
const METADATA_LABELS = new Set(['metadata', 'instance-data', 'rancher-metadata', 'metadata-server'])
const METADATA_NAMES = [
  'metadata.google.internal',
  'metadata.goog',
  'metadata.tencentyun.com',
  'api.metadata.cloud.ibm.com',
  'metadata.packet.net',
  'metadata.platformequinix.com',
]

/** RFC 1035 section 2.3.4, with the underscore that some hosts have. */
const LABEL = /^[a-z0-9_-]{1,63}$/
const NAME_LENGTH_MAX = 253

/**
 * What a host name is by itself, as the WHATWG parser leaves it (lower case, ASCII): `public` may resolve to anything allowed, `local`
 * only to what the operator lists, `metadata` and `invalid` (no resolver knows it) are not for tools.
 */
export function classifyName(hostname: string): 'public' | 'local' | 'metadata' | 'invalid' {
  const name = hostname.toLowerCase().replace(/\.$/, '')
  const labels = name.split('.')
  if (name.length > NAME_LENGTH_MAX || !labels.every((label) => LABEL.test(label))) return 'invalid'
  if (METADATA_NAMES.some((metadata) => isUnder(name, metadata))) return 'metadata'
  // Without a dot it would be looked up in the search domains of the machine that dials.
  const isLocal = labels.length === 1 || LOCAL_ZONES.some((zone) => isUnder(name, zone))
  if (isLocal && METADATA_LABELS.has(labels[0]!)) return 'metadata'
  return isLocal ? 'local' : 'public'
}

function isUnder(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`)
}
