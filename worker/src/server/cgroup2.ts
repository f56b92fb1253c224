import { join } from 'node:path'
import { PROCS, pidsIn, readIn, type CgroupFiles } from './cgroup-files.ts'
import { CONTROLLERS, type Controller } from './cgroup-plan.ts'

/** Prepares a cgroup v2 hierarchy for limiting servers. */

export interface SwitchedOn {
  controllers: Controller[]
  /** Why other controllers of the kernel are not enabled. */
  errors: Map<Controller, unknown>
}

/**
 * Enables the controllers for groups in `base`. The kernel refuses that while `base` itself holds processes (cgroup-v2
 * guide, "No Internal Process Constraint"), so the worker moves itself and a container's init into the group `own`.
 * Other processes stay where they are.
 */
export function switchOn(files: CgroupFiles, base: string, own: string): SwitchedOn {
  const listed = (file: string): Controller[] => {
    const names = readIn(files, base, file).trim().split(/\s+/)
    return CONTROLLERS.filter((one) => names.includes(one))
  }
  const tryAll = () => {
    const off = listed('cgroup.controllers').filter((one) => !listed(CONTROL).includes(one))
    return new Map(
      off.flatMap((one): [Controller, unknown][] => {
        const error = attempt(() => files.write(join(base, CONTROL), `+${one}`))
        return error === null ? [] : [[one, error]]
      }),
    )
  }
  let errors = tryAll()
  const ours = pidsIn(files, base).filter((pid) => pid === process.pid || pid === 1)
  if (isBusy(errors) && attempt(() => files.make(join(base, own))) === null) {
    for (const pid of ours) attempt(() => files.write(join(base, own, PROCS), String(pid)))
    errors = tryAll()
    if (isBusy(errors)) undo(files, base, join(base, own))
  }
  return { controllers: listed(CONTROL), errors }
}

const CONTROL = 'cgroup.subtree_control'

function isBusy(errors: Map<Controller, unknown>): boolean {
  return [...errors.values()].some((error) => (error as NodeJS.ErrnoException).code === 'EBUSY')
}

function undo(files: CgroupFiles, base: string, own: string): void {
  for (const pid of pidsIn(files, own)) attempt(() => files.write(join(base, PROCS), String(pid)))
  attempt(() => files.remove(own))
}

/** The error that `work` throws, or null. */
function attempt(work: () => void): unknown {
  try {
    work()
    return null
  } catch (error) {
    return error
  }
}
