/** Whether a caller has what the tag stands for; weakly, as RFC 9110 §13.1.2 has it: what compresses makes a tag weak. */
export function matchesTag(sent: string | undefined, tag: string): boolean {
  const strong = (one: string): string => one.trim().replace(/^W\//, '')
  return (sent ?? '').split(',').some((one) => one.trim() === '*' || strong(one) === strong(tag))
}
