import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One property's type as take-synapse.mjs writes it. */
export interface PropertyType {
  readonly required?: boolean
  readonly primitive?: 'string' | 'number' | 'boolean' | 'any'
  readonly words?: readonly string[]
  readonly class?: string
  readonly list?: PropertyType
  readonly map?: PropertyType
}

interface ClassType {
  readonly props?: Readonly<Record<string, PropertyType>>
  /** Property that says which of `cases` it is. */
  readonly by?: string
  readonly cases?: Readonly<Record<string, string>>
}

export type Types = Readonly<Record<string, ClassType>>

export async function readTypes(): Promise<Types> {
  const text = await readFile(join(import.meta.dirname, 'synapse.json'), 'utf8')
  return (JSON.parse(text) as { types: Types }).types
}

/** Holds a definition against its class: names, required ones, types and known words. @returns what is wrong, by path */
export function conform(types: Types, className: string, value: unknown, path = ''): string[] {
  const { props = {}, by, cases } = types[className] ?? {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [`${path}: expected an object`]
  const object = value as Readonly<Record<string, unknown>>
  if (by !== undefined && cases !== undefined) {
    const inner = cases[String(object[by])]
    return inner === undefined
      ? [
          `${path}.${by}: expected one of ${Object.keys(cases).join(', ')}, received ${JSON.stringify(object[by])}`,
        ]
      : conform(types, inner, value, path)
  }
  const missing = Object.entries(props)
    .filter(([name, { required }]) => required === true && object[name] === undefined)
    .map(([name]) => `${path}.${name}: required, and missing`)
  const wrong = Object.entries(object).flatMap(([name, inner]) => {
    const type = props[name]
    return type === undefined
      ? [`${path}.${name}: no such property in ${className}`]
      : conformValue(types, type, inner, `${path}.${name}`)
  })
  return [...missing, ...wrong]
}

function conformValue(types: Types, type: PropertyType, value: unknown, path: string): string[] {
  const { list, map, words, primitive } = type
  if (type.class !== undefined) return conform(types, type.class, value, path)
  if (list !== undefined) {
    if (!Array.isArray(value)) return [`${path}: expected a list`]
    return value.flatMap((inner, index) => conformValue(types, list, inner, `${path}[${index}]`))
  }
  if (map !== undefined) {
    if (typeof value !== 'object' || value === null) return [`${path}: expected an object`]
    return Object.entries(value).flatMap(([name, inner]) =>
      conformValue(types, map, inner, `${path}.${name}`),
    )
  }
  if (words !== undefined)
    return words.includes(String(value)) ? [] : [`${path}: expected one of ${words.join(', ')}`]
  return primitive === 'any' || typeof value === primitive
    ? []
    : [`${path}: expected ${primitive}, received ${JSON.stringify(value)}`]
}

/** The classes of the folders of deploy/synapse, which are those of a workspace's repository. */
export const CLASSES = {
  sparkJobDefinition: 'SparkJobDefinitionResource',
  pipeline: 'PipelineResource',
  trigger: 'TriggerResource',
  linkedService: 'LinkedServiceResource',
} as const

export type Folder = keyof typeof CLASSES

interface Named {
  readonly properties?: {
    readonly activities?: readonly {
      readonly name: string
      readonly dependsOn?: readonly { readonly activity: string }[]
      readonly typeProperties?: { readonly sparkJob?: { readonly referenceName: string } }
    }[]
    readonly pipelines?: readonly { readonly pipelineReference?: { readonly referenceName: string } }[]
    readonly targetBigDataPool?: { readonly referenceName: string }
    readonly jobProperties?: { readonly args?: readonly string[] }
  }
}

/** References between files, which no schema sees: every job, pipeline, linked service and pool that is named exists. */
export function dangling(
  files: Readonly<Record<Folder, Readonly<Record<string, unknown>>>>,
  pool: string,
): string[] {
  const found: string[] = []
  const expect = (folder: Folder, name: string | undefined, by: string) => {
    if (name !== undefined && files[folder][name] === undefined) found.push(`${by}: no ${folder} ${name}`)
  }
  for (const [name, file] of Object.entries(files.pipeline) as [string, Named][]) {
    const activities = file.properties?.activities ?? []
    for (const { name: activity, dependsOn = [], typeProperties } of activities) {
      expect('sparkJobDefinition', typeProperties?.sparkJob?.referenceName, `pipeline ${name}.${activity}`)
      for (const { activity: before } of dependsOn)
        if (!activities.some((other) => other.name === before))
          found.push(`pipeline ${name}.${activity}: depends on ${before}, which is not there`)
    }
  }
  for (const [name, file] of Object.entries(files.trigger) as [string, Named][])
    for (const { pipelineReference } of file.properties?.pipelines ?? [])
      expect('pipeline', pipelineReference?.referenceName, `trigger ${name}`)
  for (const [name, file] of Object.entries(files.sparkJobDefinition) as [string, Named][]) {
    if (file.properties?.targetBigDataPool?.referenceName !== pool)
      found.push(`sparkJobDefinition ${name}: not on the pool ${pool} that Bicep makes`)
    const args = file.properties?.jobProperties?.args ?? []
    const at = args.indexOf('--linked-service')
    if (at >= 0) expect('linkedService', args[at + 1], `sparkJobDefinition ${name}`)
  }
  return found
}
