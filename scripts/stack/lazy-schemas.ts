/**
 * At its start the Auth emulator makes a validator for each request and answer of Google's whole Identity API, which takes as much
 * processor time as all else of its start. Its router asks for all of them at once, but needs one only when a request of its kind comes.
 */

/** The emulator's router makes them with these two. */
const NAMES = ['generateRequestValidator', 'generateResponseValidator'] as const

/** The module of the router that makes validators: `exegesis/lib/oas3/Schema/validators`. */
export type Validators = Record<(typeof NAMES)[number], (...args: unknown[]) => Validator>
type Validator = (json: unknown) => unknown

/** Has the router make each validator when it is first used. */
export function makeLazy(validators: Validators): void {
  for (const name of NAMES) {
    const generate = validators[name]
    validators[name] = (...args) => {
      let validator: Validator | undefined
      return (json) => (validator ??= generate(...args))(json)
    }
  }
}
