import type { ChainReport, Report } from './report.ts'
import type { Finding } from './check/findings.ts'

/** Writes the report for a person. */

/** Findings and redactions to show; the others are counted, and --json lists them. */
const SHOWN_MAX = 10

/** The report for a person. */
export function reportText(report: Report): string {
  const sections = [
    headText(report),
    ...report.chains.map((chain) => chainText(chain, report)),
    notesText(report),
    findingsText(report),
    verdict(report),
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

function headText({ source, project, scope, keys, entries, chains }: Report): string {
  const key = keys.pinned ? 'pinned' : 'taken from the bundle, NOT pinned'
  return [
    `Audit bundle of ${scope} in project ${project}, from ${printable(source)}`,
    `${count(chains.length, 'chain')}, ${count(entries, 'entry', 'entries')}; signing key${keys.publicKeys.length === 1 ? '' : 's'}: ${key}`,
    ...keys.publicKeys.map((text) => `  ${text}`),
  ].join('\n')
}

function chainText(chain: ChainReport, { openings: included }: Report): string {
  const { log, size, firstTs, lastTs, checkpoints, calls, openings, usage } = chain
  const lines = [
    `${log}: ${count(size, 'entry', 'entries')}${firstTs === undefined ? '' : `, ${firstTs} to ${lastTs}`}`,
    `  checked: form, order, links and times of ${count(chain.entries, 'entry', 'entries')}`,
    `  checkpoints: ${checkpoints.count}${checkpoints.signedSize > 0 ? `, the last good one signs ${count(checkpoints.signedSize, 'entry', 'entries')}` : ''}`,
  ]
  if (calls.intents + calls.outcomes + calls.reconciled > 0) {
    lines.push(
      `  calls: ${count(calls.intents, 'intent')}, ${count(calls.outcomes, 'outcome')}, ${calls.reconciled} reconciled as unknown, ${calls.inFlight} open`,
    )
    lines.push(
      `  arguments: ${included ? `${count(openings.opened, 'commitment')} opened and matching` : 'no openings in the bundle, not checked'}, ${openings.redacted.length} redacted`,
    )
    for (const { call, seq, reason } of openings.redacted.slice(0, SHOWN_MAX))
      lines.push(`    redacted: call ${call} (entry ${seq}: ${reason})`)
    for (const { month, invoked, credited } of usage)
      lines.push(`  usage ${month}, recomputed: ${invoked} invoked, ${credited} credited`)
  }
  for (const { name, size: seen, timestampS } of checkpoints.witnessed) {
    lines.push(`  witness ${name}: cosigned up to entry ${seen - 1} at ${new Date(timestampS * 1000).toISOString()}`)
  }
  return [...lines.map(printable), ...coverage(chain)].join('\n')
}

function coverage({ size, covered, operatorAlone }: ChainReport): string[] {
  const lines: string[] = []
  if (covered !== null)
    lines.push(printable(`  covered by an externally held checkpoint up to entry ${covered.upTo} (${covered.by})`))
  if (operatorAlone !== null)
    lines.push(`  entries ${operatorAlone[0]}..${operatorAlone[1]} are vouched for by the operator alone`)
  if (size === 0) lines.push('  an empty chain: nothing to cover')
  return lines
}

function notesText({ notes }: Report): string {
  return notes.map(({ log, text }) => `note: ${log === undefined ? '' : `${log}: `}${text}`).join('\n')
}

function findingsText({ findings }: Report): string {
  if (findings.first === null) return ''
  const more = findings.count - Math.min(findings.count, SHOWN_MAX)
  const counts = Object.entries(findings.byCode).map(([code, n]) => `${code} ${n}`)
  return [
    `First bad entry or line: ${findingText(findings.first)}`,
    ...findings.list.slice(1, SHOWN_MAX).map((finding) => `  also: ${findingText(finding)}`),
    ...(more > 0 ? [`  and ${more} more (${counts.join(', ')})`] : []),
  ].join('\n')
}

function findingText({ log, seq, line, file, looksLike, message }: Finding): string {
  const places = [
    log,
    seq === undefined ? undefined : `entry ${seq}`,
    line === undefined ? undefined : `line ${line}`,
    file,
  ]
  return printable(`${places.filter((place) => place !== undefined).join(', ')}: ${message}; looks like: ${looksLike}`)
}

function verdict({ result, findings, chains, lines }: Report): string {
  if (result === 'fails') return `FAILS: ${count(findings.count, 'finding')}`
  if (result === 'incomplete')
    return `INCOMPLETE: nothing wrong in the ${lines} lines that are there, but the bundle was cut off`
  const alone = chains.filter(({ operatorAlone }) => operatorAlone !== null)
  if (alone.length === 0) return 'All checks passed, and something held outside covers every entry.'
  return 'All checks passed. They do not show whether the operator rewrote entries that the operator alone vouches for.'
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`
}

/**
 * Replaces control characters: a chain's texts must not control the auditor's terminal or start a line of their own.
 */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`)
}
