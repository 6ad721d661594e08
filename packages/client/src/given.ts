/** The same fields, where each may also be missing in one of JavaScript's ways. */
type Missable<T> = { readonly [Key in keyof T]?: T[Key] | null | undefined | '' }

/** Leaves out what was not given: undefined, null and empty texts. */
export function given<T extends object>(fields: Missable<T>): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null && value !== '')) as T
}
