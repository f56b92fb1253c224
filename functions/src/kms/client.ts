import type { KeyManagementServiceClient } from '@google-cloud/kms'

let client: Promise<KeyManagementServiceClient> | undefined

/**
 * The Cloud KMS client, made on first use: its import takes longer than all other modules together and listTools never
 * needs it. `KMS_EMULATOR_HOST` (host:port) names a local stand-in, as FIRESTORE_EMULATOR_HOST does for Firestore.
 */
export function kmsClient(emulatorHost: string | undefined): Promise<KeyManagementServiceClient> {
  client ??= connect(emulatorHost)
  return client
}

async function connect(emulatorHost: string | undefined): Promise<KeyManagementServiceClient> {
  const { KeyManagementServiceClient } = await import('@google-cloud/kms')
  if (!emulatorHost) return new KeyManagementServiceClient()
  const { grpc } = await import('google-gax')
  const [apiEndpoint, port] = emulatorHost.split(':')
  return new KeyManagementServiceClient({ apiEndpoint: apiEndpoint!, port: Number(port), sslCreds: grpc.credentials.createInsecure() })
}
