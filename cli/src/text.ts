/** One line that a terminal shows as it is: what others chose (names, messages) may hold escape sequences. */
export function plain(text: string): string {
  return text.replaceAll(/[\s\p{C}]+/gu, ' ').trim()
}
