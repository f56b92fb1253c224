import { KeyManagementServiceClient } from '@google-cloud/kms'
import { credentials } from '@grpc/grpc-js'

/** The official client, pointed at a local KMS (`host:port`). Close it after use. */
export function localKmsClient(host: string): KeyManagementServiceClient {
  const { hostname, port } = new URL(`http://${host}`)
  return new KeyManagementServiceClient({
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    // Otherwise the client asks for the machine's own Google credentials, in the end over the network, to learn just this.
    clientOptions: { universeDomain: 'googleapis.com' },
  })
}
