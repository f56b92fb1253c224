import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseKey } from '@vitrine/core/keys/key'

/** The worker's settings from its environment variables; the composition root reads them once. */
export interface Environment {
  key: string
  /** The policy that the key belongs to. */
  policyId: string
  /** Base URL of the control plane's functions, without a slash at the end. */
  url: string
  /** The address at which the control plane reaches this worker; null: 127.0.0.1 and the port that it listens on. */
  workerUrl: string | null
  host: string
  /** 0 for any free port. */
  port: number
  /** host:port of a local KMS that replaces Cloud KMS. */
  kmsEmulatorHost: string | undefined
  /** Variables that a secret of the form `{env}` may name. */
  secretEnv: ReadonlySet<string>
  /** Path of worker.yaml. */
  configFile: string | null
  cacheDir: string
  /** The most bytes that a package may take with its dependencies, whatever the policy says. */
  installBytesMax: number
  /** Not shared with other workers; null for a temporary folder. */
  workDir: string | null
}

const INSTALL_BYTES_CAP = 4 * 1024 ** 3

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Throws an error that names the variable and never contains its value. */
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
    installBytesMax: bytesOf('VITRINE_INSTALL_BYTES_MAX', env['VITRINE_INSTALL_BYTES_MAX']) ?? INSTALL_BYTES_CAP,
    workDir: env['VITRINE_WORK_DIR'] ? resolve(env['VITRINE_WORK_DIR']) : null,
  }
}

/**
 * Null if the variable is not set. Keys, tokens and results are sent to this address, so it must be https unless it is
 * this machine.
 */
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

/** Null if the variable is not set. */
function bytesOf(name: string, text: string | undefined): number | null {
  if (!text) return null
  const bytes = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (bytes === 0) throw new Error(`${name} must be a number of bytes`)
  return bytes
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
