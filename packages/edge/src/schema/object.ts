import * as v from 'valibot'

type IsOptional<T, K extends keyof T> = object extends Pick<T, K> ? true : false

/** A schema for every property of `T`: the compiler says when the wire has one that the schema does not know. */
export type Entries<T> = {
  readonly [K in keyof T]-?: IsOptional<T, K> extends true
    ? v.ExactOptionalSchema<v.GenericSchema<Exclude<T[K], undefined>>, undefined>
    : v.GenericSchema<T[K]>
}

/** An object as the wire's type says it. */
export function object<T extends object>(entries: Entries<T>): v.GenericSchema<T> {
  return v.object(entries as unknown as v.ObjectEntries, 'an object') as unknown as v.GenericSchema<T>
}

/** The same, with nothing else in it. */
export function strict<T extends object>(entries: Entries<T>): v.GenericSchema<T> {
  return v.strictObject(entries as unknown as v.ObjectEntries, 'an object') as unknown as v.GenericSchema<T>
}

/** A property that may be absent. */
export function may<T>(schema: v.GenericSchema<T>): v.ExactOptionalSchema<v.GenericSchema<T>, undefined> {
  return v.exactOptional(schema)
}

/** A schema with a sentence for readers of the documentation. */
export function says<T>(schema: v.GenericSchema<T>, description: string): v.GenericSchema<T> {
  return v.pipe(schema, v.description(description))
}
