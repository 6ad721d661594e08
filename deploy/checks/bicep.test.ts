import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CONTAINERS, DATABASE } from '@attune/core'
import { describe, expect, test } from 'vitest'
import { exactText, parseBicep, type BicepFile } from './bicep.ts'
import { checkBicep } from './bicep-rules.ts'
import { checkAccount, checkThroughput } from './cosmos-rules.ts'
import type { Finding, Known } from './conform.ts'
import { python } from './python.ts'
import { namesIn, parseType, withoutMarks, type ResourceSchema } from './schema.ts'

const FOLDER = join(import.meta.dirname, '..', 'azure')
const interpreter = await python()
const sources = await readSources()
const schemas = await readSchemas()
const known: Known = {
  json: {
    'containers.json': await readJson('containers.json'),
  },
}

async function readJson(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(FOLDER, name), 'utf8'))
}

async function readSources(): Promise<Record<string, string>> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.bicep'))
  const texts = await Promise.all(names.map((name) => readFile(join(FOLDER, name), 'utf8')))
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']))
}

async function readSchemas(): Promise<Map<string, ResourceSchema>> {
  const folder = join(import.meta.dirname, 'schemas')
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')))
  const all = texts.map((text) => JSON.parse(text) as ResourceSchema)
  return new Map(all.map((schema) => [schema.resource, schema]))
}

const mistakes: readonly (readonly [what: string, file: string, from: string, to: string, found: string])[] =
  [
    ['a bracket left open', 'vault.bicep', "name: 'standard'\n    }", "name: 'standard'", 'syntax'],
    [
      'a property that is not one',
      'cosmos.bicep',
      'enableAutomaticFailover:',
      'enableAutomaticFailOver:',
      'account.properties.enableAutomaticFailOver: no such property',
    ],
    [
      'a property nested too high',
      'cluster.bicep',
      'oidcIssuerProfile: {\n      enabled: true\n    }',
      'oidcIssuerEnabled: true',
      'cluster.properties.oidcIssuerEnabled: no such property',
    ],
    [
      'a required property left out',
      'vault.bicep',
      '    tenantId: tenant().tenantId\n',
      '',
      'vault.properties.tenantId: required, and missing',
    ],
    [
      'a property that only Azure writes',
      'registry.bicep',
      'adminUserEnabled: false',
      "loginServer: 'x'",
      'registry.properties.loginServer: only Azure writes it',
    ],
    [
      'a number written as text',
      'cluster.bicep',
      'intervalHours: 168',
      "intervalHours: '168'",
      'intervalHours: expected int',
    ],
    [
      'a word that the service does not know',
      'cluster.bicep',
      "scaleSetPriority: 'Spot'",
      "scaleSetPriority: 'Spots'",
      'expected one of Spot, Regular',
    ],
    [
      'a backup mode that is not one',
      'cosmos.bicep',
      "type: 'Continuous'",
      "type: 'Continous'",
      'account.properties.backupPolicy.type: expected one of Continuous, Periodic',
    ],
    [
      'a mistake inside a variable',
      'cosmos.bicep',
      'failoverPriority: 0',
      'failOverPriority: 0',
      'failOverPriority: no such property',
    ],
    [
      'a mistake in an alert',
      'alerts.bicep',
      "timeAggregation: 'Count'",
      "aggregation: 'Count'",
      'timeAggregation: required, and missing',
    ],
    [
      'a version of a type that nobody looked at',
      'vault.bicep',
      'vaults@2024-11-01',
      'vaults@2019-09-01',
      'no schema was taken',
    ],
    [
      'a count of nodes in words',
      'synapse.bicep',
      'minNodeCount: 3',
      "minNodeCount: 'three'",
      'minNodeCount: expected int',
    ],
    [
      'a Databricks parameter without its value',
      'databricks.bicep',
      'enableNoPublicIp: {\n        value: true\n      }',
      'enableNoPublicIp: true',
      'enableNoPublicIp',
    ],
    [
      'a lake whose keys could leak through a mistyped switch',
      'lake.bicep',
      'allowSharedKeyAccess: false',
      'allowSharedKeyAcess: false',
      'lake.properties.allowSharedKeyAcess: no such property',
    ],
    ['a name that is not declared', 'vault.bicep', 'scope: vault', 'scope: vaults', 'vaults: not declared'],
    [
      'a parameter nobody uses',
      'vault.bicep',
      'param token string',
      'param token string\nparam spare string = 1',
      'spare: declared and never used',
    ],
    [
      'a function that does not exist',
      'vault.bicep',
      'guid(vault.id, reader',
      'newGuidOf(vault.id, reader',
      'newGuidOf: no such function',
    ],
    [
      'a parameter its module does not have',
      'main.bicep',
      'maxRu: maxRu',
      'maximumRu: maxRu',
      'cosmos.bicep has no parameter maximumRu',
    ],
    [
      'a parameter its module needs',
      'main.bicep',
      '    fixedRu: fixedRu\n',
      '',
      'cosmos.bicep needs the parameter fixedRu',
    ],
    [
      'a parameter of another type',
      'main.bicep',
      'maxRu: maxRu',
      'maxRu: location',
      'maxRu is to be of type int',
    ],
    [
      'an output its module does not have',
      'main.bicep',
      'cluster.outputs.issuer',
      'cluster.outputs.issuerUrl',
      'cluster.bicep has no output issuerUrl',
    ],
    [
      'autoscale and manual at once',
      'cosmos.bicep',
      '    } : {\n      throughput: container.id == busiest ? fixedRu : otherFixedRu',
      '      throughput: fixedRu\n    } : {\n      throughput: container.id == busiest ? fixedRu : otherFixedRu',
      'received autoscaleSettings and throughput',
    ],
    [
      'neither autoscale nor manual',
      'cosmos.bicep',
      '      throughput: container.id == busiest ? fixedRu : otherFixedRu\n',
      '',
      'expected autoscaleSettings or throughput, received neither',
    ],
    [
      'throughput on the database',
      'cosmos.bicep',
      '      id: database\n    }',
      '      id: database\n    }\n    options: {\n      throughput: fixedRu\n    }',
      'throughput belongs to the containers',
    ],
    [
      'another consistency than the session guarantee is built on',
      'cosmos.bicep',
      "defaultConsistencyLevel: 'Session'",
      "defaultConsistencyLevel: 'Eventual'",
      'expected Session, received Eventual',
    ],
    [
      'a key written into the file',
      'cosmos.bicep',
      'value: account.listKeys().primaryMasterKey',
      `value: '${'Ab1+'.repeat(21)}Ab=='`,
      'looks like a key written into the file',
    ],
    [
      'a key in an output',
      'cosmos.bicep',
      'output accountId string = account.id',
      'output accountId string = account.listKeys().primaryMasterKey',
      'a key in an output',
    ],
  ]

/** All files once, and every planted file under its mistake's number: one interpreter for all of them. */
const parsed = new Map<string, BicepFile>()
if (interpreter !== undefined) {
  const planted = mistakes.map(([, file, from, to], index) => [
    `${index}`,
    (sources[file] ?? '').replace(from, to),
  ])
  const files = await parseBicep(interpreter, { ...sources, ...Object.fromEntries(planted) })
  for (const file of files) parsed.set(file.file, file)
}
const files = Object.keys(sources).flatMap((name) => parsed.get(name) ?? [])

function fileNamed(name: string): BicepFile {
  const found = parsed.get(name)
  if (found === undefined) throw new Error(`${name}: expected among ${[...parsed.keys()].join(', ')}`)
  return found
}

function check(files: readonly BicepFile[], facts: Known = known): Finding[] {
  return [
    ...checkBicep(files, schemas, facts),
    ...files.flatMap((file) => [...checkThroughput(file), ...checkAccount(file)]),
  ]
}

describe.skipIf(interpreter === undefined)('Bicep files (skipped: needs Python with venv)', () => {
  test('parse, use only what is declared, and fit the schemas of Azure', () => {
    expect(files.map(({ file }) => file)).toContain('main.bicep')
    expect(files.flatMap(({ resources }) => resources).length).toBeGreaterThan(35)
    expect(check(files)).toEqual([])
  })

  test('name an environment that azd can fill in: every parameter of the file exists, every needed one is given', async () => {
    const { parameters } = (await readJson('main.parameters.json')) as { parameters: Record<string, unknown> }
    const { params } = fileNamed('main.bicep')
    const names = params.map(({ name }) => name)
    expect(Object.keys(parameters).filter((name) => !names.includes(name))).toEqual([])
    const needed = params.filter(({ value }) => value === undefined).map(({ name }) => name)
    expect(needed.filter((name) => !Object.hasOwn(parameters, name))).toEqual([])
  })

  test('give autoscale and manual as the only ways of throughput', () => {
    for (const file of ['main.bicep', 'cosmos.bicep']) {
      const { params } = fileNamed(file)
      expect(params.find(({ name }) => name === 'throughputMode')?.allowed).toEqual(['autoscale', 'manual'])
    }
  })

  test('make the database that the code opens', () => {
    const value = fileNamed('cosmos.bicep').vars.find(({ name }) => name === 'database')?.value
    expect(value && exactText(value)).toEqual([DATABASE])
  })

  test.for(mistakes.map((mistake, index) => [...mistake, index] as const))(
    '%s is found',
    ([, name, from, , found, index]) => {
      expect(sources[name]).toContain(from)
      const wrong = { ...fileNamed(`${index}`), file: name }
      const findings = check(files.map((file) => (file.file === name ? wrong : file)))
      expect(findings.map(({ message }) => message).join('\n')).toContain(found)
    },
  )

  test('a mistake inside containers.json is found where the loop puts it', () => {
    const [events] = structuredClone(known.json['containers.json']) as [Record<string, unknown>]
    events['partitionKeys'] = events['partitionKey']
    const findings = check(files, { json: { ...known.json, 'containers.json': [events] } })
    expect(findings.map(({ message }) => message)).toEqual([
      expect.stringContaining('sqlContainers.properties.resource.partitionKeys: no such property'),
    ])
  })
})

test('containers.json is what the code defines: one source of truth', async () => {
  expect(await readJson('containers.json')).toEqual(CONTAINERS)
})

test('every name a schema mentions is there, and every type was taken at one version', () => {
  const versions = new Map<string, string>()
  for (const schema of schemas.values()) {
    const [type = '', version = ''] = schema.resource.split('@')
    expect(versions.get(type)).toBeUndefined()
    versions.set(type, version)
    const objects = [schema.body, ...Object.values(schema.types)]
    const properties = objects.flatMap((object) => [
      ...Object.values(object.props),
      ...Object.values(object.cases ?? {}).flatMap((one) => Object.values(one)),
    ])
    const writable = properties.filter((property) => !property.startsWith('-'))
    const missing = writable
      .flatMap((property) => namesIn(parseType(withoutMarks(property))))
      .filter((name) => schema.types[name] === undefined)
    expect(missing).toEqual([])
  }
})

test('a type in brackets is a list of a union', () => {
  expect(parseType("('http' | 'https')[]")).toEqual({
    kind: 'list',
    of: {
      kind: 'union',
      of: [
        { kind: 'literal', value: 'http' },
        { kind: 'literal', value: 'https' },
      ],
    },
  })
})
