import domain, { type Domain } from 'node:domain'
import { EventEmitter } from 'node:events'

/**
 * functions-framework runs every request in a `node:domain` (deprecated since Node 1.4). The first domain turns on async
 * hooks for the rest of the process, and they track every promise until it is collected: measured, that was half of
 * the CPU time of an invocation. What domains are for there, answering a request whose code throws later, `callable`
 * does by awaiting everything; so requests get an emitter that only looks like one.
 *
 * Call it once, before the first request.
 */
export function withoutDomains(): void {
  domain.create = () => Object.assign(new EventEmitter(), { run: <T>(work: () => T): T => work() }) as unknown as Domain
}
