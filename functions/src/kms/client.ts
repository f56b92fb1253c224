import type { KeyManagementServiceClient } from '@google-cloud/kms'
import { RECONNECT } from '../lib/reconnect.ts'
import { shared } from '../lib/shared.ts'

/**
 * Makes the Cloud KMS client on first use: importing it takes longer than all other modules together, and listTools
 * never needs it. `emulatorHost` (host:port) names a local KMS, as FIRESTORE_EMULATOR_HOST does for Firestore.
 */
export function lazyKmsClient(emulatorHost: string | undefined): () => Promise<KeyManagementServiceClient> {
  return shared(() => connect(emulatorHost))
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
    // Without this, the client asks for the machine's Google credentials, finally over the network, only to learn the
    // domain.
    clientOptions: { universeDomain: 'googleapis.com' },
  })
}
