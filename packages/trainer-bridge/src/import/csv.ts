/**
 * One line of CSV → its cells. Quoted cells may hold the separator and doubled quotes; a line break inside quotes is not
 * something click logs have.
 *
 * @see RFC 4180
 */
export function splitRow(line: string, separator: string): string[] {
  if (!line.includes('"')) return line.split(separator)
  const cells: string[] = []
  let cell = ''
  let quoted = false
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? ''
    if (quoted) {
      if (character !== '"') cell += character
      else if (line[at + 1] === '"') {
        cell += '"'
        at++
      } else quoted = false
    } else if (character === '"') quoted = true
    else if (character === separator) {
      cells.push(cell)
      cell = ''
    } else cell += character
  }
  return [...cells, cell]
}
