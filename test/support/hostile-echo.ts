/** Encodings in which upstreams repeat what they were sent. */
export const ENCODINGS: Record<string, (text: string) => string> = {
  raw: (text) => text,
  url: encodeURIComponent,
  'url twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  'url with small hex digits': (text) =>
    encodeURIComponent(text).replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
  form: (text) => new URLSearchParams([['', text]]).toString().slice(1),
  json: inner,
  'json twice': (text) => inner(inner(text)),
  html: (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;'),
  hex: (text) => Buffer.from(text).toString('hex'),
  HEX: (text) => Buffer.from(text).toString('hex').toUpperCase(),
  base64: (text) => Buffer.from(text).toString('base64'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  'base64 after one byte': (text) => Buffer.from(`:${text}`).toString('base64'),
  'base64 after two bytes': (text) => Buffer.from(`u:${text}`).toString('base64'),
  'base64url in the middle': (text) => Buffer.from(`user:${text}:more`).toString('base64url'),
}

/** A credential in every encoding, by name. */
export function echoes(secret: string): Record<string, string> {
  return Object.fromEntries(Object.entries(ENCODINGS).map(([name, encode]) => [name, encode(secret)]))
}

/** The credential of a request: in a bearer or `x-api-key` header, or in the query as `key`. */
export function secretOf({ headers, target }: { headers: Record<string, string>; target: string }): string {
  const bearer = /^Bearer (.*)$/.exec(headers['authorization'] ?? '')?.[1]
  return bearer ?? headers['x-api-key'] ?? new URLSearchParams(target.split('?')[1]).get('key') ?? ''
}

function inner(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
