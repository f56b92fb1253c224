import { INSTALL_BYTES_DEFAULT } from '@vitrine/core/limits'
import type { Pin } from '@vitrine/core/policy/pin'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { GetLockfile, Installer } from '../install/install.ts'
import type { RunnableServer } from './api.ts'
import { findProgram } from './containment.ts'

/** The program to run for a server. */
export interface Target {
  /** Absolute path. */
  file: string
  /** Arguments before the server's own. */
  args: string[]
  /** The folder of the package that was installed. */
  folder?: string
  /** null for executables. */
  pin: Pin | null
  /** The lockfile that the pin's `dependencies` is the digest of. */
  lockfile?: string
  /** Packages whose install scripts did not run. */
  unrun?: string[]
}

/**
 * Finds a server's program, and installs its package if it has one; `lockfile` is called if a pinned package is not in
 * the cache. Errors: those of `Installer.install`, upstream_unreachable if the executable does not exist.
 */
export async function findTarget(
  config: RunnableServer,
  installer: Installer,
  lockfile: GetLockfile,
): Promise<Result<Target>> {
  if ('executable' in config) {
    const file = config.executable.startsWith('/')
      ? config.executable
      : config.executable === 'node'
        ? process.execPath
        : findProgram(config.executable)
    return file === null
      ? fail('upstream_unreachable', `${config.executable} is not installed where the worker runs.`)
      : ok({ file, args: [], pin: null })
  }
  const { package: name, version, bin: executable, scripts, installBytesMax, limits, pinned } = config
  const installed = await installer.install({
    package: name,
    version,
    bin: executable,
    scripts,
    bytesMax: installBytesMax ?? INSTALL_BYTES_DEFAULT,
    limits,
    ...(pinned && { pinned: { pin: pinned, lockfile } }),
  })
  if (!installed.ok) return installed
  const { bin, folder, unrun, lockfile: text, ...pin } = installed.value
  return ok({
    file: process.execPath,
    args: [bin],
    folder,
    unrun,
    ...(pinned ? { pin: pinned } : { pin, lockfile: text }),
  })
}
