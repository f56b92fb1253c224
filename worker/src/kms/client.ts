import type { KeyManagementServiceClient } from '@google-cloud/kms'

/** The worker's client for Cloud KMS. */

/**
 * By default, gRPC waits up to two minutes before it reconnects. The worker would be unusable for that long after an
 * outage.
 */
const RECONNECT = { 'grpc.max_reconnect_backoff_ms': 2_000 }

/**
 * Creates the client on first use: a policy without secrets never needs it. `emulatorHost` (host:port) names a local
 * replacement.
 */
export function kmsClient(emulatorHost: string | undefined): () => Promise<KeyManagementServiceClient> {
  let client: Promise<KeyManagementServiceClient> | undefined
  return () => (client ??= connect(emulatorHost))
}

async function connect(emulatorHost: string | undefined): Promise<KeyManagementServiceClient> {
  const { KeyManagementServiceClient } = await import('@google-cloud/kms')
  if (!emulatorHost) return new KeyManagementServiceClient(RECONNECT)
  const { grpc } = await import('google-gax')
  const { hostname, port } = new URL(`http://${emulatorHost}`)
  return new KeyManagementServiceClient({
    ...RECONNECT,
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: grpc.credentials.createInsecure(),
    // Without this, the client looks for the machine's Google credentials, even over the network, to learn the domain.
    clientOptions: { universeDomain: 'googleapis.com' },
  })
}
