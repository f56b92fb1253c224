import { describe, expect, it } from 'vitest'
import { STRICT } from './egress/policy.ts'
import { environment } from './environment.ts'

describe('environment', () => {
  it('names the keys after the project', () => {
    expect(environment({ GCLOUD_PROJECT: 'acme' })).toMatchObject({
      project: 'acme',
      kmsKey: 'projects/acme/locations/us-central1/keyRings/vitrine/cryptoKeys/credentials',
      kmsEmulatorHost: undefined,
      egress: STRICT,
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

  it('reads what tools may reach, in any project', () => {
    expect(environment({ GCLOUD_PROJECT: 'acme', VITRINE_EGRESS_ALLOW: '10.0.0.0/8' }).egress.allow).toHaveLength(1)
    expect(() => environment({ GCLOUD_PROJECT: 'demo-x', VITRINE_EGRESS_ALLOW: '10.0.0.0/8,localhost' })).toThrow(
      'VITRINE_EGRESS_ALLOW: "localhost"',
    )
  })

  it('reads which log lines are written, everything where it says nothing', () => {
    expect(environment({ GCLOUD_PROJECT: 'acme' }).log).toBe('info')
    expect(environment({ GCLOUD_PROJECT: 'acme', VITRINE_LOG: 'errors' }).log).toBe('errors')
    expect(() => environment({ GCLOUD_PROJECT: 'acme', VITRINE_LOG: 'debug' })).toThrow('VITRINE_LOG')
  })
})
