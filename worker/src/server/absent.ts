import type { AbsentServer } from './api.ts'
import type { Server } from './server.ts'

/** Replaces a server that cannot be run here, until the policy or worker.yaml changes. */
export function absentServer({ slug, absent }: AbsentServer): Server {
  return {
    start: async () => undefined,
    sweep: () => undefined,
    stop: async () => undefined,
    update: () => undefined,
    isSame: (next) => 'absent' in next && next.absent === absent,
    call: async () => ({ ok: false, code: 'server_failed', message: absent }),
    refuse: () => undefined,
    report: () => ({ slug, state: 'failed', error: absent }),
    stderr: () => [],
    folder: () => undefined,
    inFlight: () => 0,
  }
}
