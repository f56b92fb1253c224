/**
 * Names that mean something else inside a network than outside, or nothing outside at all. The addresses they resolve
 * to are checked as well; this list covers networks where they resolve to public addresses, and gives a clear answer at
 * registration. `internal` (ICANN, 2024: private use) is the zone of Google's metadata server and of all Compute Engine
 * names; `localhost` is in RFC 6761, `local` in RFC 6762 and the others in its appendix G, `home.arpa` in RFC 8375,
 * `onion` in RFC 7686; `localdomain` and `svc` are custom.
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

/** Metadata servers by name: the first label of a local or single-label name, and their public names. */
const METADATA_LABELS = new Set(['metadata', 'instance-data', 'rancher-metadata', 'metadata-server'])
const METADATA_NAMES = [
  'metadata.google.internal',
  'metadata.goog',
  'metadata.tencentyun.com',
  'api.metadata.cloud.ibm.com',
  'metadata.packet.net',
  'metadata.platformequinix.com',
]

/** RFC 1035 section 2.3.4, plus the underscore that some hosts have. */
const LABEL = /^[a-z0-9_-]{1,63}$/
const NAME_LENGTH_MAX = 253

/**
 * Classifies a host name in WHATWG form (lower case, ASCII): `public` may resolve to any allowed address, `local` only
 * to listed ones; tools may use neither `metadata` nor `invalid` names (no resolver knows the latter).
 */
export function classifyName(hostname: string): 'public' | 'local' | 'metadata' | 'invalid' {
  const name = hostname.toLowerCase().replace(/\.$/, '')
  const labels = name.split('.')
  if (name.length > NAME_LENGTH_MAX || !labels.every((label) => LABEL.test(label))) return 'invalid'
  if (METADATA_NAMES.some((metadata) => isUnder(name, metadata))) return 'metadata'
  // A name without a dot is looked up in the search domains of the machine that dials.
  const isLocal = labels.length === 1 || LOCAL_ZONES.some((zone) => isUnder(name, zone))
  if (isLocal && METADATA_LABELS.has(labels[0]!)) return 'metadata'
  return isLocal ? 'local' : 'public'
}

function isUnder(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`)
}
