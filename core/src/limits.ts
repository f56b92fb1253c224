/** Every bound in the system, with its unit and what it stops. */

/** Request body: a full set of arguments, escaped, with room for its envelope. */
export const REQUEST_BYTES_MAX = 1_048_576
/** A report of a worker: a list of tools, and the lockfile with its quotes escaped. */
export const REPORT_BYTES_MAX = 6 * 1024 * 1024
/** Arguments as JSON in UTF-8: keeps one opening well below the 1 MiB that a Firestore document may have. */
export const ARGS_BYTES_MAX = 256 * 1024
/**
 * Nesting of arguments: recursive parsers of upstreams and our own recursive functions survive it (Firestore allows 20
 * levels of maps).
 */
export const JSON_DEPTH_MAX = 64
/** Nesting of hashed values: more than arguments and manifests may have, and far less than overflows the stack. */
export const CANONICAL_DEPTH_MAX = 512
/** A credential: more than any bearer token or service account key needs; KMS itself takes 64 KiB. */
export const TOKEN_BYTES_MAX = 8 * 1024
/**
 * An upstream's decoded answer: bounds the memory of one invocation and stops decompression bombs. A registration may
 * set it lower or higher.
 */
export const RESPONSE_BYTES_DEFAULT = 10 * 1024 * 1024
/** The most that a registration may set: Cloud Run answers with 32 MiB at most, and base64 adds a third. */
export const RESPONSE_BYTES_MAX = 20 * 1024 * 1024
/** Redirects followed in one call. */
export const REDIRECTS_MAX = 3
/** Response headers: their number, and the bytes of all names and values. */
export const RESPONSE_HEADERS_MAX = 100
export const RESPONSE_HEADERS_BYTES_MAX = 16 * 1024
/** Concurrent calls per instance, of one tool and of one agent: a tool that hangs can't take all memory and sockets. */
export const CALLS_PER_TOOL_MAX = 512
export const CALLS_PER_AGENT_MAX = 1_024
/** Tries of one call, including the first. */
export const TRIES_MAX = 3
/** A registration's redaction rules: JSON pointers (RFC 6901) to argument values that no opening may contain. */
export const REDACT_RULES_MAX = 32
export const IDEMPOTENCY_HOURS = 24
export const URL_LENGTH_MAX = 2048
export const HEADERS_MAX = 32
export const HEADER_VALUE_LENGTH_MAX = 4096
/** An MCP server's list of tools as JSON: one of 262 commands takes 327 KiB. A report of a worker brings one. */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024
export const LABEL_LENGTH_MAX = 100
export const IDEMPOTENCY_KEY_LENGTH_MAX = 255

export const TIMEOUT_MS_DEFAULT = 15_000
/** Longer time-outs are reduced to this, because Cloud Functions v2 would end the call. */
export const TIMEOUT_MS_MAX = 60_000
/**
 * An intent of this age without an outcome has lost its process: it outlasts the longest call and the write of its
 * outcome.
 */
export const RECONCILE_AFTER_MS = TIMEOUT_MS_MAX + 5_000
/** How long a server's list of tools is waited for where nobody has set a deadline: at registration, and where a refused command is looked at again. */
export const MANIFEST_TIMEOUT_MS = 15_000
/** How long a server's list of tools counts as current. */
export const MANIFEST_AGE_MS_MAX = 3_600_000
/** ID tokens of Firebase have about 1,000 characters, custom claims included. */
export const USER_TOKEN_LENGTH_MAX = 8_192

/** Invocations a month for an owner who never set a quota. */
export const QUOTA_DEFAULT = 10_000
export const QUOTA_MAX = 1_000_000_000

/** One segment: entries and bytes (JSON) stay well below the 1 MiB that a Firestore document may have. */
export const SEGMENT_ENTRIES_MAX = 256
export const SEGMENT_BYTES_MAX = 512 * 1024
/** The openings of one segment, which share a document: bytes as JSON. */
export const OPENINGS_BYTES_MAX = 700 * 1024

/** Servers of one tool policy: the policy is one document, and each server is a process. */
export const POLICY_SERVERS_MAX = 32
/** A policy as JSON: its document stays well below Firestore's 1 MiB. */
export const POLICY_BYTES_MAX = 256 * 1024
/**
 * The lockfile of a server's package, about 1,500 packages: it has a document of its own and travels in one request.
 */
export const LOCKFILE_BYTES_MAX = 512 * 1024
export const POLICIES_PER_ORG_MAX = 200
export const TEAMS_PER_ORG_MAX = 200
export const SECRETS_PER_SCOPE_MAX = 500
export const SERVER_ARGS_MAX = 64
export const SERVER_ARG_LENGTH_MAX = 4096
export const SERVER_ENV_MAX = 64
/** A variable's literal value. Credentials belong in secrets. */
export const SERVER_ENV_VALUE_LENGTH_MAX = 8 * 1024
export const SERVER_COMMANDS_MAX = 512
/** Folders in which a server looks up programs. */
export const SERVER_PATH_MAX = 16
export const SERVER_PATH_LENGTH_MAX = 1024
/** Packages whose install scripts run. */
export const SERVER_SCRIPTS_MAX = 32
/** What a package may take with its dependencies, in bytes: by default, and at most. */
export const INSTALL_BYTES_DEFAULT = 1024 ** 3
export const INSTALL_BYTES_MAX = 16 * 1024 ** 3
/** An agent.yaml, and its list of tools as JSON, which is in the agent document that every call reads. */
export const AGENT_MANIFEST_BYTES_MAX = 64 * 1024
/**
 * Time between two heartbeats of a worker. Not each is stored: a worker counts as live for WORKER_LIVE_MS after the
 * last stored one.
 */
export const HEARTBEAT_MS = 2_000
export const LIVENESS_WRITE_MS = 10_000
export const WORKER_LIVE_MS = 30_000
export const WORKERS_PER_POLICY_MAX = 50
export const SERVER_EVENTS_MAX = 100
export const SERVER_ERROR_LENGTH_MAX = 500

/** listAudit: entries of one page, length of a filter term, and length of a page token. */
export const AUDIT_PAGE_MAX = 500
export const AUDIT_TERM_LENGTH_MAX = 200
export const PAGE_TOKEN_LENGTH_MAX = 500
