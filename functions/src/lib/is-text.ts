/** Whether bytes, which may be the beginning of more, are text: valid in this encoding and without the control characters of binary data. */
export function isText(bytes: Uint8Array, charset = 'utf-8'): boolean {
  try {
    const text = new TextDecoder(charset, { fatal: true }).decode(bytes, { stream: true })
    return !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text)
  } catch {
    return false
  }
}
