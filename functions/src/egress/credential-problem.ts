import type { AuthScheme } from '@vitrine/core/tool'

/**
 * What is wrong with a credential, as a hint for whoever registers it. Most of it comes from pasting too much: a line end, quotes, or
 * the header's text up to the token. Nothing is trimmed, since nobody but the owner knows what belongs to a password.
 */

type Scheme = AuthScheme['scheme']

interface Problem {
  /** The schemes that it is a problem for; all of them by default. */
  of?: readonly Scheme[]
  /** Whether the credential has it. */
  has: (token: string, auth: AuthScheme) => boolean
  /** Follows "The credential". */
  hint: string
}

/** RFC 9110 section 5.5: visible ASCII, space, tab and obs-text. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** Ends of lines are white space or control characters in Unicode too (U+0085, U+2028, U+2029). */
const CONTROL = /[\p{Cc}\u2028\u2029]/u
/** Format characters (U+200B, U+FEFF) come along when text is copied from a page, and nobody sees them. */
const BLANK_END = /^[\s\p{Cf}]|[\s\p{Cf}]$/u
const QUOTED = /^(?:"[^]*"|'[^]*'|`[^]*`|“[^]*”|‘[^]*’|«[^]*»)$/
const HEADER_LINE = /^(?:proxy-)?authorization\s*:/i

const PROBLEMS: readonly Problem[] = [
  {
    has: (token) => !token.isWellFormed(),
    hint: 'holds a lone surrogate',
  },
  {
    has: (token) => CONTROL.test(token),
    hint: 'holds a line break or another control character',
  },
  {
    has: (token) => BLANK_END.test(token),
    hint: 'starts or ends with white space or an invisible character',
  },
  {
    has: (token) => token.length > 1 && QUOTED.test(token),
    hint: 'is in quotation marks; give what is between them',
  },
  {
    of: ['bearer', 'header'],
    has: (token) => !FIELD_VALUE.test(token),
    hint: 'holds a character that headers cannot',
  },
  {
    of: ['bearer', 'header', 'query', 'url'],
    has: (token) => HEADER_LINE.test(token),
    hint: "begins with a header's name; give the token alone",
  },
  {
    // In a header of the registration's own choice such a word belongs to the value: `Authorization: Bot …`.
    of: ['bearer', 'query', 'url'],
    has: (token) => /^(?:bearer|basic)(?:\s|:|$)/i.test(token),
    hint: 'begins with the name of a scheme, which is added when it is sent; give the token alone',
  },
  {
    // `basic:x` is a pair, and so is `Authorization:x`.
    of: ['basic'],
    has: (token) => /^(?:(?:proxy-)?authorization\s*:\s*)?(?:bearer|basic)\s/i.test(token),
    hint: 'begins with the name of a scheme, which is added when it is sent; give `user:password`, not encoded',
  },
  {
    of: ['header'],
    has: (token, auth) => auth.scheme === 'header' && startsWith(token, auth.name, /^\s*:/),
    hint: 'begins with the name of its header; give the value alone',
  },
  {
    of: ['query'],
    has: (token, auth) => auth.scheme === 'query' && startsWith(token.replace(/^[?&]/, ''), auth.name, /^=./),
    hint: 'begins with the name of its parameter; give the value alone',
  },
  {
    // RFC 7617 section 2. Either side of the colon may be empty.
    of: ['basic'],
    has: (token, auth) => auth.scheme === 'basic' && auth.username === undefined && !token.includes(':'),
    hint: 'is no `user:password`, and `auth` names no user: give both with a colon, not encoded, or set auth.username',
  },
  {
    of: ['basic'],
    has: (token, auth) => auth.scheme === 'basic' && !!auth.username && token.startsWith(`${auth.username}:`),
    hint: 'begins with the name of the user, which is added when it is sent; give the password alone',
  },
]

/** A hint that follows "The credential"; null for one that its scheme can send as it is meant. */
export function credentialProblem(auth: AuthScheme, token: string): string | null {
  const found = PROBLEMS.find(({ of, has }) => (of === undefined || of.includes(auth.scheme)) && has(token, auth))
  return found?.hint ?? null
}

function startsWith(text: string, name: string, then: RegExp): boolean {
  return text.slice(0, name.length).toLowerCase() === name.toLowerCase() && then.test(text.slice(name.length))
}
