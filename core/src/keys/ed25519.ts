/** Ed25519 (RFC 8032) by WebCrypto, which Node >= 20 and the current browsers have. */

export const ED25519_KEY_BYTES = 32
export const ED25519_SIGNATURE_BYTES = 64

/**
 * False for a wrong signature, and for a key or signature of the wrong length or form. Rejects with the platform's
 * NotSupportedError where Ed25519 is missing, which must not look like a forged signature.
 */
export async function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== ED25519_KEY_BYTES || signature.length !== ED25519_SIGNATURE_BYTES) return false
  const { subtle } = globalThis.crypto
  try {
    // The copies only satisfy the types: WebCrypto does not accept views of a shared buffer.
    const key = await subtle.importKey('raw', new Uint8Array(publicKey), 'Ed25519', false, ['verify'])
    return await subtle.verify('Ed25519', key, new Uint8Array(signature), new Uint8Array(message))
  } catch (error) {
    // For 32 bytes that are not a point on the curve, some platforms refuse the import and others fail every signature.
    if (error instanceof DOMException && error.name === 'DataError') return false
    throw error
  }
}
