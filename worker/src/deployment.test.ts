import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

/** The deployment's files can't be run here, so these tests compare them with what the code reads and does. */

const FOLDER = join(import.meta.dirname, '..')
const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')

interface Container {
  ports: { containerPort: number }[]
  env: { name: string; value?: string; valueFrom?: unknown }[]
  startupProbe: { httpGet: { path: string; port: number } }
  livenessProbe: { httpGet: { path: string; port: number } }
}

interface Service {
  kind: string
  spec: {
    template: {
      metadata: { annotations: Record<string, string> }
      spec: { containerConcurrency: number; timeoutSeconds: number; containers: Container[] }
    }
  }
}

test('the Cloud Run service is what a worker needs', () => {
  const service = parse(read('service.yaml')) as Service
  const { metadata, spec } = service.spec.template
  expect(service.kind).toBe('Service')
  expect(metadata.annotations).toMatchObject({
    'autoscaling.knative.dev/minScale': '1',
    'run.googleapis.com/execution-environment': 'gen2',
    'run.googleapis.com/cpu-throttling': 'false',
  })
  expect(spec.containerConcurrency).toBe(Number(/CALLS_MAX = (\d+)/.exec(read('src/dispatch/http-server.ts'))?.[1]))
  expect(spec.timeoutSeconds).toBeGreaterThan(60)
  const [container] = spec.containers
  const { containerPort } = container!.ports[0]!
  expect(read('Dockerfile')).toContain(`PORT=${containerPort}`)
  for (const { httpGet } of [container!.startupProbe, container!.livenessProbe])
    expect(httpGet).toEqual({ path: '/healthz', port: containerPort })
})

test('every variable of a deployment is one that the worker reads, and the key is in none of the files', () => {
  const { spec } = (parse(read('service.yaml')) as Service).spec.template
  const { env } = spec.containers[0]!
  const inImage = [...read('Dockerfile').matchAll(/^ENV (.+)$/gm)].flatMap(([, line]) =>
    line!.split(' ').map((pair) => pair.split('=')[0]!),
  )
  const known = read('src/environment.ts')
  for (const name of [
    ...env.map(({ name: variable }) => variable),
    ...inImage.filter((variable) => variable !== 'NODE_ENV'),
  ])
    expect(known).toContain(`env['${name}']`)
  expect(env.find(({ name }) => name === 'VITRINE_KEY')).toMatchObject({ valueFrom: { secretKeyRef: {} } })
})

test('the image runs the bundle, with what it leaves external, under an init', () => {
  const dockerfile = read('Dockerfile')
  expect(JSON.parse(/^ENTRYPOINT (.+)$/m.exec(dockerfile)![1]!)).toEqual([
    'tini',
    '--',
    'node',
    '--enable-source-maps',
    'lib/main.js',
  ])
  const manifest = JSON.parse(read('package.json')) as { main: string; dependencies: Record<string, string> }
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { dependencies?: Record<string, string> }>
  }
  expect(manifest.main).toBe('lib/main.js')
  expect(lock.packages['']!.dependencies).toEqual(manifest.dependencies)
})
