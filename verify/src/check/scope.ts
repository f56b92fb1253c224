import type { BundleHead, ChainLine, EndLine } from '@vitrine/core/log/bundle'
import type { Findings } from './findings.ts'

/**
 * Checks that a bundle holds the chains of its scope, each once: an organization's own first, then its agents' by name.
 */
export interface Scope {
  readonly wholeOrg: boolean
  chain(line: ChainLine, lineNumber: number): void
  end(line: EndLine, entries: number, lineNumber: number): void
  finish(): void
}

export function createScope({ project, scope }: BundleHead, findings: Findings): Scope {
  const wholeOrg = scope.startsWith('orgs/')
  let chains = 0
  let last: string | undefined
  let found = false

  return {
    wholeOrg,
    chain({ log, orgId, origin }, line) {
      chains += 1
      found ||= log === scope
      const place = { log, line }
      if (last !== undefined && orderOf(log) <= orderOf(last))
        findings.add('misplaced_line', place, `the chain ${log} stands behind ${last}`)
      last = log
      if (origin !== `${project}/${log}`)
        findings.add('scope_mismatch', place, `the chain ${log} of project ${project} has the origin ${origin}`)
      const belongs = wholeOrg
        ? `orgs/${orgId}` === scope && (log === scope || log.startsWith('agents/'))
        : log === scope
      if (!belongs)
        findings.add(
          'scope_mismatch',
          place,
          `the chain ${log} of org ${orgId} does not belong into a bundle of ${scope}`,
        )
    },
    end(end, entries, line) {
      if (end.chains === chains && end.entries === entries) return
      findings.add(
        'end_mismatch',
        { line },
        `the bundle has ${chains} chains and ${entries} entries, its end says ${end.chains} and ${end.entries}`,
      )
    },
    finish() {
      if (!found) findings.add('chain_missing', { log: scope }, `the bundle is of ${scope}, whose chain is not in it`)
    },
  }

  /** A key that sorts chains in a bundle's order. */
  function orderOf(log: string): string {
    return log === scope ? '' : log
  }
}
