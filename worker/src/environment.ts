import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseKey } from '@vitrine/core/keys/key'

/** What the environment says; read once, by the composition root. */
export interface Environment {
  key: string
  /** The policy that the key opens. */
  policyId: string
  /** Base URL of the control plane's functions, without a slash at the end. */
  url: string
  /** Where the control plane reaches this worker; null means at the port it listens on, on this machine. */
  workerUrl: string | null
  host: string
  /** 0 for any that is free. */
  port: number
  /** host:port of a local KMS instead of Cloud KMS. */
  kmsEmulatorHost: string | undefined
  /** Variables that a secret may name. */
  secretEnv: ReadonlySet<string>
  /** worker.yaml. */
  configFile: string | null
  cacheDir: string
  /** Of this worker alone; null for a folder that is made for this run. */
  workDir: string | null
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Throws an error that names the variable and never holds its value. */
export function environment(env: Readonly<Record<string, string | undefined>>): Environment {
  const key = env['VITRINE_KEY']
  if (!key) throw new Error('VITRINE_KEY is not set: the connector key of a tool policy, tools.{id}.{secret}')
  const parsed = parseKey(key)
  if (!parsed.ok || parsed.value.kind !== 'tools')
    throw new Error('VITRINE_KEY is no connector key; was it copied whole?')
  const url = address('VITRINE_URL', env['VITRINE_URL'])
  if (url === null) throw new Error("VITRINE_URL is not set: the base URL of the control plane's functions")
  const kmsEmulatorHost = env['KMS_EMULATOR_HOST']
  if (kmsEmulatorHost && !isLoopback(url)) throw new Error('KMS_EMULATOR_HOST is for a control plane on this machine')
  return {
    key,
    policyId: parsed.value.id,
    url,
    workerUrl: address('VITRINE_WORKER_URL', env['VITRINE_WORKER_URL']),
    host: env['VITRINE_LISTEN'] || '127.0.0.1',
    port: portOf(env['PORT'] ?? '0'),
    kmsEmulatorHost,
    secretEnv: names(env['VITRINE_SECRET_ENV'] ?? ''),
    configFile: env['VITRINE_WORKER_CONFIG'] ? resolve(env['VITRINE_WORKER_CONFIG']) : null,
    cacheDir: resolve(env['VITRINE_CACHE_DIR'] || join(homedir(), '.cache/vitrine-worker')),
    workDir: env['VITRINE_WORK_DIR'] ? resolve(env['VITRINE_WORK_DIR']) : null,
  }
}

/** Null when it is not set. Keys, tokens and results travel there: beyond this machine only encrypted. */
function address(name: string, text: string | undefined): string | null {
  if (!text) return null
  const url = URL.parse(text)
  if (!url || url.username || url.password || url.search || url.hash) throw new Error(`${name} must be a plain URL`)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.has(url.hostname)))
    throw new Error(`${name} must be an https URL (or http on this machine)`)
  return url.href.replace(/\/+$/, '')
}

function isLoopback(url: string): boolean {
  return LOOPBACK.has(new URL(url).hostname)
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1
  if (port < 0 || port > 65_535) throw new Error('PORT must be a number from 0 to 65535')
  return port
}

function names(text: string): ReadonlySet<string> {
  const all = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (!all.every((name) => /^[A-Z_][A-Z0-9_]*$/.test(name)))
    throw new Error('VITRINE_SECRET_ENV must be names of variables with commas between them')
  return new Set(all)
}
