import type { KeyManagementServiceClient } from '@google-cloud/kms'

/** By default gRPC waits up to two minutes between tries to connect: the worker would be of no use for so long after an outage. */
const RECONNECT = { 'grpc.max_reconnect_backoff_ms': 2_000 }

/** Made on first use: a policy without secrets never needs it. `emulatorHost` (host:port) names a local stand-in. */
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
    // Otherwise the client asks for the machine's own Google credentials, in the end over the network, to learn just this.
    clientOptions: { universeDomain: 'googleapis.com' },
  })
}
