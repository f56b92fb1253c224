/** Keys that were made alike must not swallow one another: the second that is called `x` becomes `x (2)`. One function per object. */
export function distinctNames(): (name: string) => string {
  const taken = new Set<string>()
  /** The next number by name: trying all from 2 again takes the square of how many are alike. */
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
