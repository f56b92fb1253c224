import { expect, test } from 'vitest'
import { formatKey } from '@vitrine/core/keys/key'
import { environment } from './environment.ts'

const KEY = formatKey('tools', 'pol_1', new Uint8Array(32).fill(7))
const LOCAL = { VITRINE_KEY: KEY, VITRINE_URL: 'http://127.0.0.1:5001/demo-x/us-central1/' }

test('reads what is set, and fills in the rest', () => {
  expect(environment({ ...LOCAL, HOME: '/h' })).toMatchObject({
    key: KEY,
    policyId: 'pol_1',
    url: 'http://127.0.0.1:5001/demo-x/us-central1',
    workerUrl: null,
    host: '127.0.0.1',
    port: 0,
    configFile: null,
    installBytesMax: 4 * 1024 ** 3,
    workDir: null,
  })
  const set = environment({
    ...LOCAL,
    PORT: '8080',
    VITRINE_LISTEN: '0.0.0.0',
    VITRINE_INSTALL_BYTES_MAX: '1000000',
    VITRINE_WORKER_URL: 'https://w.example/',
    VITRINE_SECRET_ENV: 'A_KEY, B,',
    KMS_EMULATOR_HOST: '127.0.0.1:9',
  })
  expect(set).toMatchObject({
    port: 8080,
    installBytesMax: 1_000_000,
    host: '0.0.0.0',
    workerUrl: 'https://w.example',
    secretEnv: new Set(['A_KEY', 'B']),
    kmsEmulatorHost: '127.0.0.1:9',
  })
})

test.each<[string, Record<string, string>, RegExp]>([
  ['no key', { VITRINE_KEY: '' }, /^VITRINE_KEY is not set/],
  ['half a key', { VITRINE_KEY: KEY.slice(0, -3) }, /^VITRINE_KEY is no connector key/],
  ["an agent's key", { VITRINE_KEY: formatKey('agent', 'a', new Uint8Array(32)) }, /^VITRINE_KEY is no connector key/],
  ['no address', { VITRINE_URL: '' }, /^VITRINE_URL is not set/],
  ['an address that is none', { VITRINE_URL: 'here' }, /^VITRINE_URL must be a plain URL/],
  ['an address in clear', { VITRINE_URL: 'http://functions.example/x' }, /^VITRINE_URL must be an https URL/],
  [
    'an address that only begins like this machine',
    { VITRINE_URL: 'http://127.0.0.1.example/x' },
    /^VITRINE_URL must be an https URL/,
  ],
  ['a password in an address', { VITRINE_URL: 'https://u:p@functions.example/x' }, /^VITRINE_URL must be a plain URL/],
  [
    'an own address in clear',
    { VITRINE_WORKER_URL: 'http://worker.example' },
    /^VITRINE_WORKER_URL must be an https URL/,
  ],
  ['a port that is none', { PORT: '70000' }, /^PORT must be a number/],
  [
    'a size that is none',
    { VITRINE_INSTALL_BYTES_MAX: '1GiB' },
    /^VITRINE_INSTALL_BYTES_MAX must be a number of bytes/,
  ],
  ['no size at all', { VITRINE_INSTALL_BYTES_MAX: '0' }, /^VITRINE_INSTALL_BYTES_MAX must be/],
  ['names that are none', { VITRINE_SECRET_ENV: 'a=b' }, /^VITRINE_SECRET_ENV must be names/],
  [
    'a local KMS for a control plane elsewhere',
    { VITRINE_URL: 'https://functions.example/x', KMS_EMULATOR_HOST: '127.0.0.1:9' },
    /^KMS_EMULATOR_HOST is for/,
  ],
])('refuses %s, and never quotes the key', (_what, changes, message) => {
  const given = { ...LOCAL, ...changes }
  const error = (() => {
    try {
      environment(given)
      return ''
    } catch (thrown) {
      return (thrown as Error).message
    }
  })()
  expect(error).toMatch(message)
  expect(error).not.toContain(KEY.split('.')[2]!.slice(0, 10))
})
