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
}

export interface Demo {
  owner: { uid: string; email: string; password: string; key: string }
  agent: { id: string; key: string }
}
