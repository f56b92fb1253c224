import { describe, expect, it } from 'vitest'
import { environment } from './environment.ts'

describe('environment', () => {
  it('names the keys after the project', () => {
    expect(environment({ GCLOUD_PROJECT: 'acme' })).toMatchObject({
      project: 'acme',
      kmsKey: 'projects/acme/locations/us-central1/keyRings/vitrine/cryptoKeys/credentials',
      kmsEmulatorHost: undefined,
      allowPrivate: false,
      reconcileAfterMs: 65_000,
    })
  })

  it('throws without a project', () => {
    expect(() => environment({})).toThrow('GCLOUD_PROJECT')
  })

  it.each(['KMS_EMULATOR_HOST', 'VITRINE_RECONCILE_AFTER_MS'])('takes %s for a demo project only', (name) => {
    expect(() => environment({ GCLOUD_PROJECT: 'demo-x', [name]: '1' })).not.toThrow()
    expect(() => environment({ GCLOUD_PROJECT: 'acme', [name]: '1' })).toThrow(name)
  })

  it('opens private addresses for a demo project only, and only when told so in so many words', () => {
    const of = (project: string, value: string) => environment({ GCLOUD_PROJECT: project, VITRINE_ALLOW_PRIVATE_UPSTREAMS: value })
    expect(of('demo-x', 'true').allowPrivate).toBe(true)
    expect(of('demo-x', '1').allowPrivate).toBe(false)
    expect(() => of('acme', 'true')).toThrow('demo-*')
  })
})
