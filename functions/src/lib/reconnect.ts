/**
 * Channel options for the gRPC clients of Firestore and KMS. By default they wait up to two minutes between attempts to
 * connect, so a process that survives an outage would stay unusable for that long.
 */
export const RECONNECT = { 'grpc.max_reconnect_backoff_ms': 2_000 }
