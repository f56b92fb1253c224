import { contract, type OperationPath } from '@vitrine/core/api/contract'
import { jsonSchemaOf, type JsonSchema } from '@vitrine/core/api/json-schema'
import { COMMON_ERRORS, type Operation } from '@vitrine/core/api/operation'
import { fieldsOf, rowsOf, typeOf, type Row } from './shape.ts'

/** docs/api.md and README's table of functions, from the contract in core/src/api. */

const PATHS = Object.keys(contract) as OperationPath[]

const EFFECTS = {
  read: 'Changes nothing but the audit log.',
  change: 'Changes what is stored, or calls a tool.',
  destroy: 'Takes something away for good.',
} as const satisfies Record<Operation['effect'], string>

export function apiReference(): string {
  return [
    INTRODUCTION,
    ...PATHS.map(section),
    '## Shared shapes',
    'Shapes that several operations use; the types above name them.',
    ...sharedShapes(),
  ].join('\n\n')
}

const INTRODUCTION = `# API reference

<!-- Written by \`npm run docs\` from core/src/api. -->

Every operation is a \`POST {baseUrl}/{path}\` with \`Authorization: Bearer {key or ID token}\` and the body \`{"data": …}\`. It answers \`{"result": …}\`, or
\`{"error": {"status", "message", "details": {"code", "retryable", …}}}\` with a code of [errors.md](errors.md): the Firebase callable protocol.
Unknown fields are refused. \`data\` may be null where every field may be left out.

Callers: an **owner** is a signed-in person (Firebase ID token) or an owner key; an **auditor** is a person with that role; an **agent** calls with its agent
key; a **worker** with the connector key of its tool policy.

Kinds of text:

| type      | what                                                                                                    |
| --------- | ------------------------------------------------------------------------------------------------------- |
| id        | 1 to 128 of A-Z, a-z, 0-9, \`_\` and \`-\`, with a letter or digit first                                    |
| tool name | 1 to 63 of a-z, 0-9, \`_\` and \`-\`, with a letter or digit first and no \`__\`                              |
| command   | 1 to 128 of A-Z, a-z, 0-9, \`_\`, \`.\` and \`-\`                                                             |
| call name | a tool name, or \`{tool name}__{command}\`                                                                |
| time      | RFC 3339, such as \`2026-01-02T03:04:05.678Z\`                                                            |
| month     | \`YYYY-MM\`                                                                                               |
| SHA-256   | 64 digits of lower-case hex                                                                             |

Any operation may fail with ${codes(COMMON_ERRORS)}. Each section lists the codes that its operation adds.`

function section(path: OperationPath): string {
  const operation: Operation = contract[path]
  const { request, response, pieces } = jsonSchemaOf(path)
  const parts = [
    `## ${path}`,
    operation.summary,
    `Callers: ${operation.callers.join(', ')}. ${EFFECTS[operation.effect]}${sdk(operation)}`,
    ...shape('Request', request),
  ]
  if (operation.answer === 'lines')
    parts.push('**Answer**: lines of JSON, the export bundle that `vitrine-verify` reads (core/src/log/bundle.ts).')
  else parts.push(...shape('Answer', response))
  if (pieces)
    parts.push(
      '**Pieces**, sent before the answer where the request has `Accept: text/event-stream`:',
      alternatives(pieces)
        .map((piece) => `- ${code(typeOf(piece, true))}`)
        .join('\n'),
    )
  if (operation.errors.length > 0) parts.push(`**Errors**: ${codes(operation.errors)}.`)
  parts.push('**Example**', fence(operation.example))
  return parts.join('\n\n')
}

function sdk({ method }: Operation): string {
  if (method === null) return ''
  const [noun, verb] = method.split('.') as [string, string]
  return ` In the SDK: \`${noun}.${verb}\`.`
}

function shape(title: string, schema: JsonSchema): string[] {
  const tables = alternatives(schema).map((each) => rowsOf(each, schema.$defs as Record<string, JsonSchema>))
  if (tables.every((rows) => rows.length === 0)) return [`**${title}**: \`{}\``]
  return tables.flatMap((rows, i) => [i === 0 ? `**${title}**` : 'or', table(rows)])
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf ?? schema.oneOf ?? [schema]
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ name, type, optional, text }) =>
      `| ${code(name)}${optional ? ' (optional)' : ''} | ${code(type)} | ${cell(text)} |`,
  )
  return ['| field | type | what |', '| --- | --- | --- |', ...lines].join('\n')
}

/** By id; answers win where requests know the shape with defaults to leave out. */
function sharedShapes(): string[] {
  const shapes = new Map<string, JsonSchema>()
  for (const path of PATHS) {
    const { request, response, pieces } = jsonSchemaOf(path)
    for (const { $defs } of [request, response, ...(pieces ? [pieces] : [])])
      for (const [id, schema] of Object.entries($defs ?? {})) if (!shapes.has(id)) shapes.set(id, schema)
  }
  return [...shapes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([id, schema]) => [`### ${id}`, ...sharedShape(schema)])
}

function sharedShape(schema: JsonSchema): string[] {
  const tables = alternatives(schema).map((each) => rowsOf(each))
  const described = schema.description === undefined ? [] : [schema.description]
  if (tables.every((rows) => rows.length === 0)) return [...described, `${code(typeOf(schema, true))}`]
  return [...described, ...tables.flatMap((rows, i) => [...(i === 0 ? [] : ['or']), table(rows)])]
}

/** One line an operation, for README. */
export function operationTable(): string {
  const lines = PATHS.map((path) => {
    const { callers, answer }: Operation = contract[path]
    const { request, response } = jsonSchemaOf(path)
    const result = answer === 'lines' ? 'lines of JSON' : code(fieldsOf(response))
    const link = `[\`${path}\`](docs/api.md#${path.replaceAll('/', '').toLowerCase()})`
    return `| ${link} | ${callers.join(', ')} | ${code(fieldsOf(request))} → ${result} |`
  })
  return ['| function | caller | data → result |', '| --- | --- | --- |', ...lines].join('\n')
}

function codes(errors: readonly string[]): string {
  return errors.map((name) => `[\`${name}\`](errors.md#${name})`).join(', ')
}

function code(text: string): string {
  return `\`${cell(text)}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function fence(value: unknown): string {
  return ['```json', JSON.stringify({ data: value }), '```'].join('\n')
}

/** sdk/README.md's table of methods. Fields that may be left out have a question mark. */
export function methodTable(): string {
  const rows = PATHS.flatMap((path) => {
    const { method, callers, summary }: Operation = contract[path]
    if (method === null) return []
    const inputs = alternatives(jsonSchemaOf(path).request).map(({ properties = {}, required = [] }) => {
      const names = Object.keys(properties).map((name) => (required.includes(name) ? name : `${name}?`))
      return names.length === 0 ? '' : `{ ${names.join(', ')} }`
    })
    return [`| \`${method}(${inputs.join(' | ').replaceAll('|', '\\|')})\` | ${callers.join(', ')} | ${summary} |`]
  })
  return ['| method | who | what it does |', '| --- | --- | --- |', ...rows].join('\n')
}
