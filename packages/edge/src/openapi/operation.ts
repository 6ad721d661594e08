import type { ArtifactErrorCode } from '@attune/core/artifact'
import type { GenericSchema } from 'valibot'
import type { EdgeErrorCode } from '../error.ts'

/** Who may call: anybody, pages of a site, trainers, operators. */
export type Caller = 'anybody' | 'page' | 'trainer' | 'operator' | 'trainer or operator'

export type ProblemCode = EdgeErrorCode | ArtifactErrorCode

export interface Answer {
  readonly says: string
  readonly schema?: GenericSchema
  /** Absent: JSON when there is a schema. */
  readonly type?: string
  /** Names of response headers, with what they say. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface Body {
  /** What it is in JSON; absent: bytes. */
  readonly schema?: GenericSchema
  readonly type: string
  readonly maxBytes: number
}

/** What readers of the documentation are told of a route, and what checks hold it to. */
export interface Operation {
  readonly summary: string
  readonly says?: string
  readonly tag: 'Pages' | 'Visitors' | 'Catalogue' | 'Models' | 'Operations'
  readonly caller: Caller
  /** Path parameters by name. */
  readonly path?: Readonly<Record<string, GenericSchema>>
  /** Parameters of the query. */
  readonly query?: Readonly<Record<string, GenericSchema>>
  /** Those that must be there. */
  readonly required?: readonly string[]
  readonly body?: Body
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Those of the route itself; those of keys, limits and bodies are added. */
  readonly problems: readonly ProblemCode[]
  /** Asks Cosmos, which may not answer. */
  readonly store?: true
}
