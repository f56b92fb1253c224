/** `.local/stack.json`: where a running stack is to be found, and who may use it. Hosts are `host:port`. */
export interface StackInfo {
  project: string
  /** `{baseUrl}/{name}` is the URL of a function. */
  baseUrl: string
  /** URL of every function by name. */
  functions: Record<string, string>
  firestore: string
  auth: string
  kms: string
  /** Absent when nothing was seeded. */
  demo?: Demo
  /** The tools worker of the demo's policy; absent when there is none. */
  worker?: { url: string; policyId: string }
}

export interface Demo {
  owner: { uid: string; email: string; password: string; key: string }
  agent: { id: string; key: string }
  /** The tool policy that the worker serves; absent when it could not be made. */
  policy?: { id: string; key: string }
}
