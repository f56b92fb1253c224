import { FieldValue, Timestamp } from 'firebase-admin/firestore'
import type { protos } from '@google-cloud/firestore-api'

/**
 * Firestore's wire form of values and documents (google.firestore.v1.Value,
 * https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#value), the same that
 * `@google-cloud/firestore` writes and reads. Nothing else in the functions knows it.
 */

type WireValue = protos.google.firestore.v1.IValue
export type WireFields = Record<string, WireValue>

/** A value as gRPC's message loader gives it (its option `oneofs`): with the name of the member that is set. */
type Received = WireValue & { valueType?: keyof WireValue }

/** Throws TypeError for what Firestore cannot hold, or what the documents here never hold. */
export function encodeFields(data: object): WireFields {
  const fields: WireFields = {}
  for (const [name, value] of Object.entries(data)) fields[name] = encodeValue(value)
  return fields
}

function encodeValue(value: unknown): WireValue {
  switch (typeof value) {
    case 'string':
      return { stringValue: value }
    case 'boolean':
      return { booleanValue: value }
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? { integerValue: value } : { doubleValue: value }
    case 'object':
      return value === null ? { nullValue: 'NULL_VALUE' } : encodeObject(value)
    default:
      throw new TypeError(`Firestore cannot hold ${typeof value}`)
  }
}

function encodeObject(value: object): WireValue {
  if (Array.isArray(value)) return { arrayValue: value.length === 0 ? {} : { values: value.map(encodeElement) } }
  if (value instanceof Date) return { timestampValue: wireTime(Timestamp.fromDate(value)) }
  if (value instanceof Timestamp) return { timestampValue: wireTime(value) }
  if (value instanceof Uint8Array) return { bytesValue: value }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError(`Firestore cannot hold a ${value.constructor.name}`)
  return { mapValue: { fields: encodeFields(value) } }
}

function encodeElement(value: unknown): WireValue {
  if (Array.isArray(value)) throw new TypeError('Firestore cannot hold an array in an array')
  return encodeValue(value)
}

/** Throws TypeError for a kind of value that the documents here never hold. */
export function decodeFields(fields: WireFields | null | undefined): Record<string, unknown> {
  const data: Record<string, unknown> = {}
  for (const name in fields) data[name] = decodeValue(fields[name]!)
  return data
}

function decodeValue(value: Received): unknown {
  switch (value.valueType) {
    case 'stringValue':
      return value.stringValue
    case 'booleanValue':
      return value.booleanValue
    case 'integerValue':
      return Number(value.integerValue)
    case 'doubleValue':
      return value.doubleValue
    case 'timestampValue':
      return timeOf(value.timestampValue!)
    case 'nullValue':
      return null
    case 'bytesValue':
      return value.bytesValue
    case 'arrayValue':
      return (value.arrayValue?.values ?? []).map(decodeValue)
    case 'mapValue':
      return decodeFields(value.mapValue?.fields)
    default:
      throw new TypeError(`no document holds a ${value.valueType ?? 'value without a type'}`)
  }
}

export function wireTime({ seconds, nanoseconds }: Timestamp): protos.google.protobuf.ITimestamp {
  return { seconds, nanos: nanoseconds }
}

export function timeOf({ seconds, nanos }: protos.google.protobuf.ITimestamp): Timestamp {
  return new Timestamp(Number(seconds), nanos ?? 0)
}

/**
 * An update as Firestore's mask and fields say it. Keys of `data` are field paths with dots, and a path whose value is
 * `FieldValue.delete()` is in the mask alone, as in updates by the high-level client.
 */
export function encodeUpdate(data: object): { fields: WireFields; fieldPaths: string[] } {
  const paths = Object.keys(data)
  if (paths.some((path) => paths.some((other) => other.startsWith(`${path}.`))))
    throw new TypeError('a field of an update lies below another')
  const fields = noFields()
  for (const [path, value] of Object.entries(data) as [string, unknown][])
    if (!isDeletion(value)) put(fields, path.split('.'), encodeValue(value))
  return { fields, fieldPaths: paths.map(quotedPath) }
}

function isDeletion(value: unknown): boolean {
  return value instanceof FieldValue && value.isEqual(FieldValue.delete())
}

/** Without the fields that every object inherits, such as `constructor`. */
function noFields(): WireFields {
  return Object.create(null) as WireFields
}

function put(fields: WireFields, [name, ...below]: string[], value: WireValue): void {
  if (below.length === 0) return void (fields[name!] = value)
  const map = (fields[name!] ??= { mapValue: { fields: noFields() } })
  put(map.mapValue!.fields!, below, value)
}

const SIMPLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#documentmask: other names are quoted by back-ticks. */
function quotedPath(path: string): string {
  return path
    .split('.')
    .map((name) => (SIMPLE_NAME.test(name) ? name : `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``))
    .join('.')
}
