/** A part of a schema that is not understood, and so not checked. */
export interface Note {
  /** JSON pointer (RFC 6901). */
  pointer: string
  why: string
  /** What `argsPolicy: 'strict'` lets pass too: a valid schema that is too much to ask of a check. */
  valid?: true
}

const SHOWN_MAX = 10
const POINTER_LENGTH_MAX = 100

/** Where these are, as one text of bounded length: `#/properties/a/type`. */
export function placesOf(notes: Note[]): string {
  const shown = notes.slice(0, SHOWN_MAX).map(({ pointer }) => `#${short(pointer)}`)
  const rest = notes.length - shown.length
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join(' ')
}

/** One line of bounded length for an owner. */
export function textOf({ pointer, why }: Note): string {
  return `#${short(pointer)} is not checked: ${why}.`
}

function short(pointer: string): string {
  return (pointer.length > POINTER_LENGTH_MAX ? `${pointer.slice(0, POINTER_LENGTH_MAX)}…` : pointer).toWellFormed()
}
