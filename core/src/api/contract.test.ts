import { expect, it } from 'vitest'
import { contract, type OperationPath } from './contract.ts'
import { jsonSchemaOf } from './json-schema.ts'
import { COMMON_ERRORS, type Operation } from './operation.ts'

const operations = Object.entries<Operation>(contract)

it('has an example of every operation that its request takes', () => {
  const refused = operations.filter(([, { request, example }]) => !request.safeParse(example).success)
  expect(refused.map(([path]) => path)).toEqual([])
})

it('lists no error twice, and none that any request may end with', () => {
  const surprises = operations.flatMap(([path, { errors }]) =>
    errors
      .filter((code, i) => errors.indexOf(code) !== i || (COMMON_ERRORS as readonly string[]).includes(code))
      .map((code) => `${path}: ${code}`),
  )
  expect(surprises).toEqual([])
})

it('describes every operation in JSON Schema, with a definition for each name', () => {
  for (const path of Object.keys(contract) as OperationPath[]) {
    const { request, response, pieces } = jsonSchemaOf(path)
    for (const schema of [request, response, ...(pieces ? [pieces] : [])]) {
      const named = [...JSON.stringify(schema).matchAll(/"#\/\$defs\/([^"]+)"/g)].map(([, name]) => name!)
      expect(Object.keys(schema.$defs ?? {}), path).toEqual(expect.arrayContaining(named))
    }
  }
})

it('leaves out fields that have to be absent, and says what a custom check demands', () => {
  const { $defs } = jsonSchemaOf('admin/createPolicy').request
  const [fromNpm, ofNode] = ($defs!['Server'] as { oneOf: { properties: object; required: string[] }[] }).oneOf
  expect(Object.keys(fromNpm!.properties)).not.toContain('node')
  expect(Object.keys(ofNode!.properties)).not.toContain('package')
  expect(ofNode).toMatchObject({ required: ['slug', 'node'], additionalProperties: false })
  expect(jsonSchemaOf('invokeTool').request.$defs).toEqual({ JsonObject: { type: 'object' } })
})
