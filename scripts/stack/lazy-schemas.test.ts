import { createRequire } from 'node:module'
import { expect, it, vi } from 'vitest'
import { makeLazy, type Validators } from './lazy-schemas.ts'

/** Whether the Auth emulator's router does what lazy-schemas.ts tells it; auth-emulator.test.ts sees it refuse bad requests. */

const require = createRequire(import.meta.url)
const ofCli = createRequire(require.resolve('firebase-tools/package.json'))
const { compileRunner } = ofCli('exegesis') as { compileRunner(api: object, options: object): Promise<unknown> }
const Ajv = createRequire(ofCli.resolve('exegesis'))('ajv') as {
  prototype: { compile(schema: { properties?: object }): unknown }
}

const schema = { type: 'object', properties: { email: { type: 'string' } } }
const operation = {
  requestBody: { content: { 'application/json': { schema } } },
  responses: { 200: { description: 'Done.', content: { 'application/json': { schema } } } },
}
const api = { openapi: '3.0.0', info: { title: 'An API', version: '1' }, paths: { '/users': { post: operation } } }

it('compiles no schema when a router is made', async () => {
  const compile = vi.spyOn(Ajv.prototype, 'compile')
  const schemasCompiled = async (): Promise<number> => {
    compile.mockClear()
    await compileRunner(api, {})
    return compile.mock.calls.filter(([{ properties }]) => JSON.stringify(properties ?? {}).includes('email')).length
  }
  expect(await schemasCompiled()).toBe(2)
  makeLazy(ofCli('exegesis/lib/oas3/Schema/validators') as Validators)
  expect(await schemasCompiled()).toBe(0)
})
