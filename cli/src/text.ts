/** Text that a terminal shows as it is: what others chose (names, messages) may hold escape sequences. */

/** One line. */
export function plain(text: string): string {
  return text.replaceAll(/[\s\p{C}]+/gu, ' ').trim()
}

/** Several lines. */
export function plainLines(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]/gu, ' ')
}
