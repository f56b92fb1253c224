/** Renames equal names so that none overwrites another: the second `x` becomes `x (2)`. Call it once per object. */
export function distinctNames(): (name: string) => string {
  const taken = new Set<string>()
  /** The next number to try for each name. Starting at 2 every time would take quadratic time for many equal names. */
  const numbers = new Map<string, number>()
  return (name) => {
    let distinct = name
    let number = numbers.get(name) ?? 2
    for (; taken.has(distinct); number++) distinct = `${name} (${number})`
    numbers.set(name, number)
    taken.add(distinct)
    return distinct
  }
}
