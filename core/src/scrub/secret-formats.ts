/**
 * Well-known formats of secrets, recognized anywhere in a text. Random identifiers, hashes and plain words do not
 * match.
 *
 * Every pattern takes linear time, even on hostile text: it has a fixed beginning, an unbounded repetition is of one
 * class of characters, and either nothing must follow the repetition or the pattern can begin only once in it.
 */
interface SecretFormat {
  name: string
  /** Source of a pattern that matches, in any case, every text with such a secret and few others. */
  hint: string
  /** The text of the group `kept` stays: it is the context that identifies a secret without a format of its own. */
  pattern: RegExp
  /** A further check for what a pattern can't express; gets the match without the kept text. */
  isSecret?: (text: string) => boolean
}

/** A row for secrets that are a fixed prefix and a run of characters, delimited on both sides. */
function prefixed(name: string, prefix: string, run: string): SecretFormat {
  return { name, hint: prefix, pattern: new RegExp(`(?<![A-Za-z0-9])${prefix}${run}(?![A-Za-z0-9])`, 'g') }
}

export const SECRET_FORMATS: readonly SecretFormat[] = [
  // Vitrine's own keys (key.ts), including mistyped ones.
  prefixed('vitrine key', '(?:agent|tools|owner)', '\\.[A-Za-z0-9_-]{1,128}\\.[A-Za-z0-9]{49,86}'),
  {
    name: 'private key',
    hint: '-----BEGIN ',
    // Without its END line it is still a key. Line ends may be escaped.
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[^]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
  },
  prefixed('age secret key', 'AGE-SECRET-KEY-1', '[A-Z0-9]{58}'),
  {
    name: 'jwt',
    hint: 'eyJ',
    pattern: /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){0,2}/g,
  },
  prefixed('aws access key id', '(?:AKIA|ASIA|ABIA|ACCA)', '[A-Z0-9]{16}'),
  {
    name: 'aws secret access key',
    hint: 'secret_?(?:access_?)?key',
    pattern: /(?<kept>secret_?(?:access_?)?key["']?\s{0,4}[:=]\s{0,4}["']?)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])/gi,
  },
  {
    name: 'azure account key',
    hint: '(?:AccountKey|SharedAccessKey)=',
    pattern: /(?<kept>(?:AccountKey|SharedAccessKey)=)[A-Za-z0-9+/]{43,86}={0,2}/g,
  },
  prefixed('github token', 'gh[pousr]_', '[A-Za-z0-9]{36,255}'),
  prefixed('github token', 'github_pat_', '[A-Za-z0-9_]{22,255}'),
  prefixed('gitlab token', 'gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat)-', '[A-Za-z0-9_-]{20,}'),
  prefixed('slack token', 'xox[a-z]-', '[A-Za-z0-9-]{10,}'),
  prefixed('slack token', 'xapp-', '[0-9]-[A-Za-z0-9-]{10,}'),
  {
    name: 'slack webhook',
    hint: 'hooks\\.slack\\.com',
    pattern: /(?<kept>hooks\.slack\.com\/(?:services|workflows|triggers)\/)[A-Za-z0-9/_-]{20,}/g,
  },
  prefixed('stripe key', '[sr]k_(?:live|test)_', '[A-Za-z0-9]{10,}'),
  prefixed('webhook secret', 'whsec_', '[A-Za-z0-9+/]{20,}={0,2}'),
  prefixed('anthropic key', 'sk-ant-', '[A-Za-z0-9_-]{20,}'),
  prefixed('openai key', 'sk-(?:proj|svcacct|admin|None|or-v1)-', '[A-Za-z0-9_-]{20,}'),
  prefixed('openai key', 'sk-', '[A-Za-z0-9]{32,}'),
  prefixed('google api key', 'AIza', '[A-Za-z0-9_-]{35}'),
  prefixed('google oauth token', 'ya29\\.', '[A-Za-z0-9_-]{20,}'),
  prefixed('google client secret', 'GOCSPX-', '[A-Za-z0-9_-]{24,}'),
  prefixed('npm token', 'npm_', '[A-Za-z0-9]{36,}'),
  prefixed('pypi token', 'pypi-', '[A-Za-z0-9_-]{50,}'),
  prefixed('sendgrid key', 'SG\\.', '[A-Za-z0-9_-]{16,32}\\.[A-Za-z0-9_-]{32,64}'),
  prefixed('twilio key', 'SK(?=[0-9a-f]{8})', '[0-9a-f]{32}'),
  prefixed('mailgun key', '(?<![_-])key-', '[0-9a-zA-Z]{32}'),
  prefixed('digitalocean token', 'do[oprt]_v1_', '[a-f0-9]{64}'),
  prefixed('hugging face token', '(?:hf|api_org)_', '[A-Za-z]{34,}'),
  prefixed('vault token', 'hv[sbr]\\.', '[A-Za-z0-9_-]{24,}'),
  prefixed('shopify token', 'shp(?:at|ca|pa|ss)_', '[a-fA-F0-9]{32}'),
  prefixed('docker token', 'dckr_(?:pat|oat)_', '[A-Za-z0-9_-]{20,}'),
  prefixed('telegram bot token', '[0-9]{8,10}:AA', '[A-Za-z0-9_-]{33}'),
  {
    name: 'authorization header',
    hint: 'authorization',
    pattern:
      /(?<kept>authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:bearer|basic|token|apikey|negotiate)\s{1,4})[^\s"',;]+/gi,
  },
  {
    name: 'authorization header',
    hint: 'authorization',
    pattern: /(?<kept>authorization["']?\s{0,4}[:=]\s{0,4}["']?)[^\s"',;]{8,}/gi,
    isSecret: looksRandom,
  },
  // Prose contains "bearer" and "basic", so the next word has to look like a token.
  {
    name: 'bearer token',
    hint: 'bearer\\s',
    pattern: /(?<kept>\bbearer\s{1,4})[A-Za-z0-9._~+/-]{8,}=*/gi,
    isSecret: looksRandom,
  },
  {
    name: 'basic credentials',
    hint: 'basic\\s',
    pattern: /(?<kept>\bbasic\s{1,4})[A-Za-z0-9+/]{4,}={0,2}/gi,
    isSecret: isBasicPair,
  },
  // Up to the last "@": passwords may contain one that should have been escaped.
  { name: 'password in a URL', hint: '://[^\\s/]*@', pattern: /(?<kept>:\/\/[^\s/?#:@"'<>]*:)[^\s/?#"'<>]+(?=@)/g },
  {
    name: 'secret in a query',
    hint: '(?:token|secret|passwd|password|api_?key|signature)=',
    pattern: /(?<kept>[?&][A-Za-z0-9_-]{0,40}(?:token|secret|passwd|password|api_?key|signature)=)[^&#\s"'<>]+/gi,
  },
  {
    name: 'card number',
    hint: '[0-9]{4}[ -]?[0-9]{4}',
    pattern:
      /(?<![0-9A-Za-z.-])(?:(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6011|65[0-9]{2})(?:[ -]?[0-9]{4}){3}|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5})(?![0-9A-Za-z-])/g,
    isSecret: passesLuhn,
  },
]

/** Most texts match no hint; trying each format on thousands of short strings would take several times longer. */
const HINT = new RegExp(SECRET_FORMATS.map(({ hint }) => hint).join('|'), 'i')

/** Replaces every secret of a known format, and nothing else. */
export function replaceSecrets(text: string, replacement: string): string {
  if (!HINT.test(text)) return text
  let left = text
  for (const { pattern, isSecret } of SECRET_FORMATS) {
    left = left.replace(pattern, (match: string, ...rest: unknown[]) => {
      const groups = rest.at(-1)
      const kept = typeof groups === 'object' && groups !== null ? (groups as { kept: string }).kept : ''
      const secret = match.slice(kept.length)
      return secret !== replacement && (isSecret?.(secret) ?? true) ? kept + replacement : match
    })
  }
  return left
}

/** Words have no digits and are shorter. */
function looksRandom(text: string): boolean {
  return /[0-9]/.test(text) || text.length >= 32
}

/** Whether this is the base64 of `user:password`. */
function isBasicPair(text: string): boolean {
  try {
    return atob(text).includes(':')
  } catch {
    return false
  }
}

/** The check digit of card numbers (ISO/IEC 7812-1, annex B). */
function passesLuhn(text: string): boolean {
  let sum = 0
  let double = false
  for (const digit of text
    .replaceAll(/[^0-9]/g, '')
    .split('')
    .reverse()
    .map(Number)) {
    sum += double ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit
    double = !double
  }
  return sum % 10 === 0
}
