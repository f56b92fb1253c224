/** Every bound in the system, with its unit and what it stops. */

/** Request body: a full set of arguments, escaped, with room for its envelope. */
export const REQUEST_BYTES_MAX = 1_048_576
/** Arguments as JSON in UTF-8: keeps one opening well below Firestore's 1 MiB a document. */
export const ARGS_BYTES_MAX = 256 * 1024
/** Nesting of arguments: what recursive upstream parsers and our own walks survive (Firestore itself allows 20 levels of maps). */
export const JSON_DEPTH_MAX = 64
/** Nesting of what is hashed: above any arguments and manifest, and far below what overflows the stack. */
export const CANONICAL_DEPTH_MAX = 512
/** A credential: more than any bearer token or service account key needs; KMS itself takes 64 KiB. */
export const TOKEN_BYTES_MAX = 8 * 1024
/** An upstream's answer, after decoding: bounds the memory of one invocation and stops decompression bombs. A registration may ask for less or more. */
export const RESPONSE_BYTES_DEFAULT = 10 * 1024 * 1024
/** Cloud Run answers 32 MiB at most, and base64 takes a third more. */
export const RESPONSE_BYTES_MAX = 20 * 1024 * 1024
/** Hops that a redirecting tool is followed. */
export const REDIRECTS_MAX = 3
/** Response headers: number, and all names and values in bytes. */
export const RESPONSE_HEADERS_MAX = 100
export const RESPONSE_HEADERS_BYTES_MAX = 16 * 1024
/** Calls under way at the same time in one instance, of one tool and of one agent: a tool that hangs takes no more than its share of memory and sockets. */
export const CALLS_PER_TOOL_MAX = 512
export const CALLS_PER_AGENT_MAX = 1_024
/** Tries of one call, the first included. */
export const TRIES_MAX = 3
/** JSON pointers (RFC 6901) of a registration whose values never enter an opening. */
export const REDACT_RULES_MAX = 32
export const IDEMPOTENCY_HOURS = 24
export const URL_LENGTH_MAX = 2048
export const HEADERS_MAX = 32
export const HEADER_VALUE_LENGTH_MAX = 4096
/** A manifest as JSON: it is stored in the tool's document and returned by listTools. */
export const MANIFEST_BYTES_MAX = 256 * 1024
export const LABEL_LENGTH_MAX = 100
export const IDEMPOTENCY_KEY_LENGTH_MAX = 255

export const TIMEOUT_MS_DEFAULT = 15_000
/** Longer requests are clamped: Cloud Functions v2 would end them. */
export const TIMEOUT_MS_MAX = 60_000
/** An intent this old without an outcome has lost its process: the longest call, and the wait for its record. */
export const RECONCILE_AFTER_MS = TIMEOUT_MS_MAX + 5_000
export const MANIFEST_TIMEOUT_MS = 5_000
/** How old a look at a server's list of tools may be at most. */
export const MANIFEST_AGE_MS_MAX = 3_600_000
/** ID tokens of Firebase have about 1,000 characters, custom claims included. */
export const USER_TOKEN_LENGTH_MAX = 8_192

/** Invocations a month for an owner who never set a quota. */
export const QUOTA_DEFAULT = 10_000
export const QUOTA_MAX = 1_000_000_000

/** One segment: entries and bytes (JSON) stay well below Firestore's 1 MiB a document. */
export const SEGMENT_ENTRIES_MAX = 256
export const SEGMENT_BYTES_MAX = 512 * 1024
/** Openings of one segment share a document; bytes as JSON. */
export const OPENINGS_BYTES_MAX = 700 * 1024

/** One tool policy is one document, and its servers are as many processes. */
export const POLICY_SERVERS_MAX = 32
/** Of a policy as JSON: its document stays well below Firestore's 1 MiB. */
export const POLICY_BYTES_MAX = 256 * 1024
/** What a server's package is installed by: a document of its own, and part of one request. About 1,500 packages. */
export const LOCKFILE_BYTES_MAX = 512 * 1024
export const POLICIES_PER_ORG_MAX = 200
export const TEAMS_PER_ORG_MAX = 200
export const SECRETS_PER_SCOPE_MAX = 500
export const SERVER_ARGS_MAX = 64
export const SERVER_ARG_LENGTH_MAX = 4096
export const SERVER_ENV_MAX = 64
/** A static value; what is a credential belongs into a secret. */
export const SERVER_ENV_VALUE_LENGTH_MAX = 8 * 1024
export const SERVER_COMMANDS_MAX = 512
/** An agent.yaml, and what it says of its tools as JSON: the latter is in the agent's document, which every call reads. */
export const AGENT_MANIFEST_BYTES_MAX = 64 * 1024
/** Between heartbeats of a worker. A worker counts as live for WORKER_LIVE_MS after the last one that was written down. */
export const HEARTBEAT_MS = 2_000
export const LIVENESS_WRITE_MS = 10_000
export const WORKER_LIVE_MS = 30_000
export const WORKERS_PER_POLICY_MAX = 50
export const SERVER_EVENTS_MAX = 100
export const SERVER_ERROR_LENGTH_MAX = 500

/** A page of listAudit, a term that it filters by, and what stands for the next page. */
export const AUDIT_PAGE_MAX = 500
export const AUDIT_TERM_LENGTH_MAX = 200
export const PAGE_TOKEN_LENGTH_MAX = 500
