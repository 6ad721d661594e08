// Takes schemas/*.json anew; run by hand, and prettier after it, when a resource type or its version is added:
//   [ONLY=type,type] node --conditions=@attune/source deploy/checks/take-schemas.ts [folder of a clone of Azure/bicep-types-az]
// Most come from `azmcp bicepschema get` (npm @azure/mcp). Release 2.0.5 fails on every microsoft.insights type with
// "Unable to locate manifest resource": those come from the repository that its data is made of.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn, parseType, withoutMarks, type ObjectSchema, type ResourceSchema } from './schema.ts'

const MCP = '@azure/mcp@2.0.5'
const FROM_MCP = [
  'Microsoft.AlertsManagement/prometheusRuleGroups',
  'Microsoft.ApiManagement/service',
  'Microsoft.ApiManagement/service/apiVersionSets',
  'Microsoft.ApiManagement/service/apis',
  'Microsoft.ApiManagement/service/apis/operations',
  'Microsoft.ApiManagement/service/apis/policies',
  'Microsoft.ApiManagement/service/backends',
  'Microsoft.Authorization/roleAssignments',
  'Microsoft.ContainerRegistry/registries',
  'Microsoft.ContainerService/managedClusters',
  'Microsoft.ContainerService/managedClusters/agentPools',
  'Microsoft.Dashboard/grafana',
  'Microsoft.Databricks/accessConnectors',
  'Microsoft.Databricks/workspaces',
  'Microsoft.DocumentDB/databaseAccounts',
  'Microsoft.DocumentDB/databaseAccounts/sqlDatabases',
  'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers',
  'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments',
  'Microsoft.KeyVault/vaults',
  'Microsoft.KeyVault/vaults/secrets',
  'Microsoft.ManagedIdentity/userAssignedIdentities',
  'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials',
  'Microsoft.Monitor/accounts',
  'Microsoft.OperationalInsights/workspaces',
  'Microsoft.Resources/resourceGroups',
  'Microsoft.Storage/storageAccounts',
  'Microsoft.Storage/storageAccounts/blobServices',
  'Microsoft.Storage/storageAccounts/blobServices/containers',
  'Microsoft.Storage/storageAccounts/managementPolicies',
  'Microsoft.Synapse/workspaces',
  'Microsoft.Synapse/workspaces/bigDataPools',
  'Microsoft.ApiManagement/service/policyFragments',
  'Microsoft.ApiManagement/service/namedValues',
]
const INSIGHTS = 'generated/monitor_1/microsoft.insights'
const FROM_TYPES: readonly (readonly [string, string])[] = [
  ['Microsoft.Insights/actionGroups', '2023-01-01'],
  ['Microsoft.Insights/metricAlerts', '2018-03-01'],
  ['Microsoft.Insights/dataCollectionEndpoints', '2023-03-11'],
  ['Microsoft.Insights/dataCollectionRules', '2023-03-11'],
  ['Microsoft.Insights/dataCollectionRuleAssociations', '2023-03-11'],
  ['Microsoft.Insights/diagnosticSettings', '2021-05-01-preview'],
]

const PRIMITIVE: Readonly<Record<string, string>> = {
  StringType: 'string',
  IntegerType: 'int',
  BooleanType: 'bool',
  AnyType: 'any',
  NullType: 'null',
}

const only = process.env['ONLY']?.split(',')
const clone = process.argv[2]
for (const type of FROM_MCP) if (only?.includes(type) ?? true) save(fromMcp(type))
if (clone !== undefined) {
  const commit = execFileSync('git', ['-C', clone, 'rev-parse', 'HEAD'], { encoding: 'utf8' }).trim()
  for (const [type, version] of FROM_TYPES) save(fromTypes(clone, commit, type, version))
}

function save(schema: ResourceSchema): void {
  const name = `${schema.resource.split('@')[0]?.toLowerCase().replaceAll('/', '_')}.json`
  writeFileSync(
    join(import.meta.dirname, 'schemas', name),
    `${JSON.stringify(reachable(schema), undefined, 1)}\n`,
  )
  console.error(name)
}

/** Leaves out the types that nothing writable leads to. */
function reachable(schema: ResourceSchema): ResourceSchema {
  const kept = new Map<string, ObjectSchema>()
  const visit = (object: ObjectSchema): void => {
    const properties = [
      ...Object.values(object.props),
      ...Object.values(object.cases ?? {}).flatMap((props) => Object.values(props)),
      ...(object.rest === undefined ? [] : [object.rest]),
    ]
    for (const property of properties) {
      if (property.startsWith('-')) continue
      for (const name of namesIn(parseType(withoutMarks(property)))) {
        const found = schema.types[name]
        if (found === undefined || kept.has(name)) continue
        kept.set(name, found)
        visit(found)
      }
    }
  }
  visit(schema.body)
  const types = Object.fromEntries([...kept].sort(([a], [b]) => (a < b ? -1 : 1)))
  return { ...schema, types }
}

interface McpProperty {
  readonly name: string
  readonly type: string
  readonly flags?: string
}

interface McpType {
  readonly $type: string
  readonly name: string
  readonly properties?: readonly McpProperty[]
  readonly bodyType?: McpType
  readonly writableScopes?: string
  readonly additionalPropertiesType?: string
  readonly baseProperties?: readonly McpProperty[]
  readonly elements?: readonly McpType[]
  readonly discriminator?: string
}

function fromMcp(type: string): ResourceSchema {
  const output = execFileSync(
    'npx',
    ['-y', '-p', MCP, '--', 'azmcp', 'bicepschema', 'get', '--resource-type', type],
    { encoding: 'utf8', maxBuffer: 50_000_000, stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const answer = JSON.parse(output) as { results: { BicepSchemaResult: readonly McpType[] } }
  const all = answer.results.BicepSchemaResult
  const resource = all.find((entry) => entry.$type === 'Resource')
  if (resource?.bodyType === undefined) throw new Error(`${type}: no resource in the answer of ${MCP}`)
  const named = all.filter((entry) => ['Object', 'DiscriminatedObject'].includes(entry.$type))
  const names = new Set(named.map(({ name }) => name))
  const property = ({ type: text, flags = '' }: McpProperty): string => mark(mcpType(text, names), flags)
  const properties = (list: readonly McpProperty[]): Record<string, string> =>
    Object.fromEntries(list.map((entry) => [entry.name, property(entry)]))
  const object = (entry: McpType): ObjectSchema => ({
    props: properties(entry.properties ?? entry.baseProperties ?? []),
    ...(entry.additionalPropertiesType !== undefined && {
      rest: mcpType(entry.additionalPropertiesType, names),
    }),
    ...(entry.discriminator !== undefined && {
      by: entry.discriminator,
      cases: mcpCases(entry.discriminator, entry.elements ?? [], properties),
    }),
  })
  return {
    resource: resource.name,
    scope: resource.writableScopes ?? '',
    source: `azmcp bicepschema get, ${MCP}`,
    body: object(resource.bodyType),
    types: Object.fromEntries(named.map((entry) => [entry.name, object(entry)])),
  }
}

function mcpCases(
  discriminator: string,
  elements: readonly McpType[],
  properties: (list: readonly McpProperty[]) => Record<string, string>,
): Record<string, Record<string, string>> {
  return Object.fromEntries(
    elements.map((element) => {
      const value = element.properties?.find(({ name }) => name === discriminator)?.type ?? element.name
      return [value, properties(element.properties ?? [])]
    }),
  )
}

/** The tool writes literals without quotes, and a list of a union without brackets. */
function mcpType(text: string, names: ReadonlySet<string>): string {
  const list = /((?:\[\])+)$/.exec(text)?.[1] ?? ''
  const options = text
    .slice(0, text.length - list.length)
    .split(' | ')
    .map((option) =>
      names.has(option) || ['string', 'int', 'bool', 'any', 'object', 'null'].includes(option)
        ? option
        : `'${option}'`,
    )
  return list !== '' && options.length > 1
    ? `(${options.join(' | ')})${list}`
    : `${options.join(' | ')}${list}`
}

function mark(type: string, flags: string): string {
  return `${flags.includes('ReadOnly') ? '-' : ''}${flags.includes('Required') ? '!' : ''}${type}`
}

interface Ref {
  readonly $ref: string
}

interface RawProperty {
  readonly type: Ref
  readonly flags: number
}

interface RawType {
  readonly $type: string
  readonly name?: string
  readonly value?: string
  readonly body?: Ref
  readonly itemType?: Ref
  readonly elements?: readonly Ref[] | Readonly<Record<string, Ref>>
  readonly properties?: Readonly<Record<string, RawProperty>>
  readonly baseProperties?: Readonly<Record<string, RawProperty>>
  readonly additionalProperties?: Ref
  readonly discriminator?: string
}

function fromTypes(folder: string, commit: string, type: string, version: string): ResourceSchema {
  const text = execFileSync('git', ['-C', folder, 'show', `${commit}:${INSIGHTS}/${version}/types.json`], {
    encoding: 'utf8',
    maxBuffer: 50_000_000,
  })
  const all = JSON.parse(text) as readonly RawType[]
  const at = ({ $ref }: Ref): RawType => {
    const found = all[Number($ref.slice(2))]
    if (found === undefined) throw new Error(`${type}: ${$ref} is not there`)
    return found
  }
  const wanted = `${type}@${version}`.toLowerCase()
  const resource = all.find((entry) => entry.$type === 'ResourceType' && entry.name?.toLowerCase() === wanted)
  if (resource?.body === undefined) throw new Error(`${wanted}: not in ${INSIGHTS}`)
  const types: Record<string, ObjectSchema> = {}
  const write = (ref: Ref): string => {
    const entry = at(ref)
    const primitive = PRIMITIVE[entry.$type]
    if (primitive !== undefined) return primitive
    if (entry.$type === 'StringLiteralType') return `'${entry.value ?? ''}'`
    if (entry.$type === 'ArrayType' && entry.itemType !== undefined) {
      const item = write(entry.itemType)
      return item.includes(' | ') ? `(${item})[]` : `${item}[]`
    }
    if (entry.$type === 'UnionType' && Array.isArray(entry.elements))
      return (entry.elements as readonly Ref[]).map(write).join(' | ')
    const name = entry.name ?? 'object'
    if (types[name] === undefined) {
      types[name] = { props: {} }
      types[name] = object(entry)
    }
    return name
  }
  const properties = (list: Readonly<Record<string, RawProperty>> = {}): Record<string, string> =>
    Object.fromEntries(
      Object.entries(list).map(([name, { type: ref, flags }]) => [
        name,
        `${flags & 2 ? '-' : ''}${flags & 1 ? '!' : ''}${write(ref)}`,
      ]),
    )
  const object = (entry: RawType): ObjectSchema => ({
    props: properties(entry.properties ?? entry.baseProperties),
    ...(entry.additionalProperties !== undefined && { rest: write(entry.additionalProperties) }),
    ...(entry.discriminator !== undefined && {
      by: entry.discriminator,
      cases: Object.fromEntries(
        Object.entries(entry.elements as Readonly<Record<string, Ref>>).map(([value, ref]) => [
          value,
          properties(at(ref).properties),
        ]),
      ),
    }),
  })
  const body = object(at(resource.body))
  return {
    resource: `${type}@${version}`,
    scope: 'see the type',
    source: `Azure/bicep-types-az ${commit.slice(0, 12)}`,
    body,
    types,
  }
}
