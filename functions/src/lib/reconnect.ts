/**
 * Channel options for the gRPC clients of Firestore and KMS. By default they wait up to two minutes between tries to connect:
 * a process that lives through an outage would be of no use for so long after it.
 */
export const RECONNECT = { 'grpc.max_reconnect_backoff_ms': 2_000 }
