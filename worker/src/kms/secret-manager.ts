import { crc32c } from '@vitrine/core/keys/crc'
import { fail, ok, type Result } from '@vitrine/core/result'

/** Reads secrets from Google's Secret Manager. */

/** The addresses of Secret Manager and the metadata server; only tests change them. */
export interface GoogleHosts {
  secretManager: string
  metadata: string
}

const GOOGLE: GoogleHosts = {
  secretManager: 'https://secretmanager.googleapis.com',
  metadata: 'http://metadata.google.internal',
}
const REQUEST_MS_MAX = 5_000
const NAME = /^projects\/[a-z0-9:.-]{1,100}\/secrets\/vitrine-[\w-]{1,255}(?:\/versions\/(?:latest|\d{1,10}))?$/

/**
 * Reads a secret with Secret Manager's REST API, as the worker's service account
 * (https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access).
 * Errors: unavailable (no answer, or no metadata server because this is not Google Cloud), credential_unreadable.
 */
export async function readSecret(name: string, { secretManager, metadata } = GOOGLE): Promise<Result<string>> {
  if (!NAME.test(name)) return fail('credential_unreadable', 'This is no name of a secret that belongs to Vitrine.')
  const version = name.includes('/versions/') ? name : `${name}/versions/latest`
  try {
    const token = await get(`${metadata}/computeMetadata/v1/instance/service-accounts/default/token`, {
      'metadata-flavor': 'Google',
    })
    if (!token.ok)
      return fail(
        'unavailable',
        'Secret Manager needs the identity of a Google Cloud workload, and there is none here.',
      )
    const { access_token: bearer } = (await token.json()) as { access_token: string }
    const answer = await get(`${secretManager}/v1/${version}:access`, { authorization: `Bearer ${bearer}` })
    if (!answer.ok) return fail(answer.status >= 500 || answer.status === 429 ? 'unavailable' : 'credential_unreadable')
    const { payload } = (await answer.json()) as { payload: { data: string; dataCrc32c?: string } }
    const data = Buffer.from(payload.data, 'base64')
    if (payload.dataCrc32c !== undefined && Number(payload.dataCrc32c) !== crc32c(data)) return fail('unavailable')
    return ok(data.toString('utf8'))
  } catch {
    return fail('unavailable', 'Secret Manager does not answer.')
  }
}

function get(url: string, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(REQUEST_MS_MAX) })
}
