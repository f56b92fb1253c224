import { randomBytes, randomUUID } from 'node:crypto'
import { initializeApp } from 'firebase-admin/app'
import { getFirestore, type DocumentReference, type Firestore } from 'firebase-admin/firestore'
import { expect } from 'vitest'
import { createFirestoreRpc, type FirestoreRpc } from '../../functions/src/store/rpc.ts'
import type { Answer } from '../../scripts/stack/rpc.ts'
import { afterFile } from '../stack/after-file.ts'
import { signUp, stack } from '../stack/stack.ts'

/** The people and agents of an end-to-end test, new in every test, and their requests to the functions. */

export interface Owner {
  uid: string
  /** ID token. */
  bearer: string
}

export interface Agent {
  id: string
  key: string
  owner: Owner
}

export interface Request {
  bearer?: string
  /** The functions' address; the stack's own by default. */
  baseUrl?: string
  method?: string
  /** Sent as the body instead of `{data}`. */
  raw?: string | Uint8Array
  contentType?: string
  signal?: AbortSignal
}

/** All answers in this test file as text, and the credentials that must not appear in them. */
const answers: { target: string; text: string }[] = []
const secrets = new Set<string>()
function forget(): void {
  answers.length = 0
  secrets.clear()
}

/** One request over plain HTTP; `target` is a function, or `admin/{operation}`. */
export async function call(target: string, data: unknown, request: Request = {}): Promise<Answer> {
  const { bearer, baseUrl = stack().baseUrl, method = 'POST', raw, contentType = 'application/json', signal } = request
  const headers = {
    ...(contentType !== '' && { 'content-type': contentType }),
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
  }
  const body = method === 'GET' || method === 'HEAD' ? undefined : (raw ?? JSON.stringify({ data }))
  const response = await fetch(`${baseUrl}/${target}`, {
    method,
    headers,
    body: body as BodyInit,
    ...(signal && { signal }),
  })
  const text = await response.text()
  afterFile(forget)
  if (target !== 'getToolCredential' || response.status !== 200)
    answers.push({ target, text: `${text} ${JSON.stringify([...response.headers])}` })
  return { status: response.status, body: parse(text), headers: response.headers }
}

/** A credential for a tool; no answer may ever contain it (`leaks`). */
export function newSecret(prefix = 'tok'): string {
  const secret = `${prefix}-${randomBytes(18).toString('base64url')}`
  afterFile(forget)
  secrets.add(secret)
  return secret
}

/** The places where a credential of this file leaked, in any spelling that survives a copy; the test expects none. */
export function leaks(texts: readonly string[] = answers.map(({ target, text }) => `${target}: ${text}`)): string[] {
  const spellings = [...secrets].flatMap((secret) => [
    secret,
    Buffer.from(secret).toString('hex'),
    Buffer.from(secret).toString('base64').slice(0, -4),
  ])
  return texts.filter((text) => spellings.some((spelling) => text.includes(spelling)))
}

/** The result of a call that must succeed. */
export async function done<T = Record<string, unknown>>(answer: Promise<Answer>): Promise<T> {
  const { status, body } = await answer
  expect(status, JSON.stringify(body)).toBe(200)
  return (body as { result: T }).result
}

/** The error of a call that must fail with this code. */
export async function failed(
  answer: Promise<Answer>,
  code: string,
): Promise<{ status: string; message: string; details: Record<string, unknown> }> {
  const { body } = await answer
  expect(body).toMatchObject({ error: { details: { code } } })
  return (body as { error: { status: string; message: string; details: Record<string, unknown> } }).error
}

export async function newOwner(): Promise<Owner> {
  const { uid, idToken } = await signUp()
  return { uid, bearer: idToken }
}

export async function newAgent(owner?: Owner, settings: object = {}): Promise<Agent> {
  const of = owner ?? (await newOwner())
  const { agentId, key } = await done<{ agentId: string; key: string }>(
    call('admin/createAgent', { name: 'Bot', ...settings }, { bearer: of.bearer }),
  )
  return { id: agentId, key, owner: of }
}

/** An agent with one `http` tool called `tool`. */
export async function newAgentWith(url: string, tool: object = {}): Promise<Agent> {
  const agent = await newAgent()
  await register(agent, { url, ...tool })
  return agent
}

export function register(agent: Agent, tool: object): Promise<Record<string, unknown>> {
  return done(
    call('registerTool', { agentId: agent.id, name: 'tool', kind: 'http', ...tool }, { bearer: agent.owner.bearer }),
  )
}

export function invoke(agent: Agent, data: object = {}, request: Request = {}): Promise<Answer> {
  return call('invokeTool', { name: 'tool', args: {}, ...data }, { bearer: agent.key, ...request })
}

export function admin(operation: string, data: object, by: Owner, baseUrl = stack().baseUrl): Promise<Answer> {
  return call(`admin/${operation}`, data, { bearer: by.bearer, baseUrl })
}

export async function setLimit(owner: Owner, monthlyInvocations: number): Promise<void> {
  await done(admin('setQuota', { monthlyInvocations }, owner))
}

export async function usageOf(
  agent: Agent,
): Promise<{ month: string; invoked: number; credited: number; limit: number }> {
  return done(admin('getUsage', { agentId: agent.id }, agent.owner))
}

let firestore: Firestore | undefined

/** Firestore with the server's access, which the rules do not restrict. */
export function db(): Firestore {
  process.env['FIRESTORE_EMULATOR_HOST'] = stack().firestore
  // Without this, the client asks the network where it runs.
  process.env['METADATA_SERVER_DETECTION'] = 'none'
  return (firestore ??= getFirestore(initializeApp({ projectId: stack().project }, randomUUID())))
}

/** The requests that calls make, as the functions make them. */
export function rpc(): FirestoreRpc {
  const { project, firestore } = stack()
  process.env['METADATA_SERVER_DETECTION'] = 'none'
  return createFirestoreRpc({ project, emulatorHost: firestore })
}

/** This document and every document below it, as text with bytes in base64 and hex. */
export async function documentsBelow(ref: DocumentReference): Promise<string[]> {
  const bytes = (_key: string, value: unknown) =>
    Buffer.isBuffer(value) || value instanceof Uint8Array
      ? `${Buffer.from(value).toString('base64')} ${Buffer.from(value).toString('latin1')}`
      : value
  const own = JSON.stringify(plain((await ref.get()).data()), bytes)
  const below: string[] = []
  for (const collection of await ref.listCollections()) {
    for (const doc of await collection.listDocuments()) below.push(...(await documentsBelow(doc)))
  }
  return [`${ref.path}: ${own}`, ...below]
}

/** Converts buffers first: JSON.stringify turns them into arrays of numbers before it calls a replacer. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, Array.isArray(inner) ? inner : plain(inner)]),
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
