import { describe, expect, it } from 'vitest'
import { isSecretHeader, secretIn } from './url-secret.ts'

const RANDOM = 'k3Jx9QpL2mVt7RbZ8wYc4NdS'
const HEX = '9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c'
const UUID = '2f4e9a0c-51b7-4c1e-9d3a-7e6b5f4c3d2e'

it.each([
  '/bot123456:SECRET/send',
  '/bot123456%3AAAF-SECRETSECRET/send',
  `/v1/${RANDOM}/send`,
  `/${HEX}`,
  `/api/mcp/s/${RANDOM}/mcp`,
  `/mcp/${RANDOM}-${RANDOM}`,
  `/hooks/catch/123456/b8x9c2`,
  `/webhook/${UUID}`,
  `/webhookb2/${UUID}@${UUID}/IncomingWebhook/${HEX}/${UUID}`,
  `/api/webhooks/123456789012345678/${RANDOM}`,
  '/trigger/event/with/key/dQx7hJk2',
  '/v1/tokens/abc12345',
  '/x;jsessionid=8A7F66',
  '/apikey=abcdef12/x',
  `/v1/sk-ant-${RANDOM}`,
  ...[
    'api_key',
    'apikey',
    'apiKey',
    'API-KEY',
    'exaApiKey',
    'key',
    'token',
    'access_token',
    'accessToken',
    'auth-token',
    'secret',
    'client_secret',
    'sig',
    'signature',
    'password',
    'auth',
    'code',
    'X-Amz-Signature',
    'X-Amz-Credential',
    'X-Amz-Security-Token',
    'AWSAccessKeyId',
    'X-Goog-Signature',
    'subscription-key',
    'x-functions-key',
    'appid',
    'session',
  ].map((name) => `/x?${name}=QSECRET12345`),
  `/x?k=${RANDOM}`,
  `/x?u=${HEX}`,
  '/x?q=ghp_0123456789abcdefghijABCDEFGHIJ012345',
  `/x?next=https%3A%2F%2Fy.example%2F%3Fapi_key%3Dabc`,
])('takes %s for one with a secret, which it does not repeat', (rest) => {
  const found = secretIn(`https://api.example.com${rest}`)
  expect(found).toMatch(/^(?:segment \d+ of the path|the query parameter "[\w-]+"|the URL)$/)
})

it.each([
  'https://hook.eu1.make.com/abc123def456',
  'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXX1234',
])('knows the host of a webhook: %s', (url) => expect(secretIn(url)).not.toBeNull())

it.each([
  '/',
  '/repos/octo-org/hello-world/issues',
  '/repos/octo/x/git/commits/6dcb09b5b57875f334f61aebed695e2e4193db5e',
  '/repos/octo/x/hooks/12345678',
  `/v1/databases/${HEX}/query`,
  `/v1/blocks/${UUID}/children`,
  `/subscriptions/${UUID}/x`,
  `/v0/appAbC1dE2fG3hI4/Tasks/recAbC1dE2fG3hI4`,
  '/v4/spreadsheets/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/values/Sheet1',
  '/spreadsheets/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit',
  `/2010-04-01/Accounts/AC${HEX}/Messages.json`,
  '/v1.0/users/me/messages',
  '/v1beta1/projects/my-project-123456/locations/us-central1',
  '/2024-01-01/reports/2024-01-01T00:00:00Z',
  '/rest/api/3/search',
  '/v1/chat/completions',
  '/webhooks/stripe',
  '/webhooks/v1beta1/stripe',
  '/objects/507f1f77bcf86cd799439011',
  '/getAllOpenPullRequestsForRepository',
  '/oauth2-v1beta1-k8s-x86-linux',
  '/bot/send',
  '/token',
  '/v1/api-keys',
  '/x?q=hello&page=2&per_page=100&version=2024-01-01',
  '/x?max_tokens=4096&keyword=tokens&author=me&design=flat&country_code=US&monkey=1',
  '/x?key=name&code=US&auth=none&session=1',
  '/x?api_key=&token',
  `/x?database_id=${HEX}&spreadsheetId=1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms&id=${UUID}`,
  '/x?sort[0][field]=Name&fields%5B%5D=Notes',
  `/x?q=tok-${RANDOM}`,
  '/bot{{credential}}/send?api_key={{credential}}&chat=1',
])('takes %s for public', (rest) => expect(secretIn(`https://api.example.com${rest}`)).toBeNull())

describe('static headers', () => {
  it.each([
    ['dd-application-key', 'abc'],
    ['x-api-key', 'abc'],
    ['private-token', 'abc'],
    ['cookie', 'a=b'],
    ['x-any', `sk-ant-${RANDOM}`],
  ])('%s: %s looks like a secret', (name, value) => expect(isSecretHeader(name, value)).toBe(true))

  it.each([
    ['accept', 'application/json'],
    ['notion-version', '2022-06-28'],
    ['x-team', 'a'],
    ['x-api-key', ''],
    ['idempotency', 'x'],
  ])('%s: %s does not', (name, value) => expect(isSecretHeader(name, value)).toBe(false))
})
