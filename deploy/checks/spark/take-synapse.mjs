// Takes synapse.json anew: what of Synapse's artifacts the checks hold deploy/synapse against. Run by hand, prettier after it:
//   npm pack @azure/synapse-artifacts@1.0.0-beta.12 && tar xzf *.tgz && node take-synapse.mjs package/dist-esm/src/models/mappers.js
// The package is Microsoft's own client (MIT), generated from Azure/azure-rest-api-specs.
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const ROOTS = {
  SparkJobDefinitionResource: {},
  // Which of the many kinds of a thing are used: its discriminator's value and class.
  PipelineResource: { Activity: { type: { SparkJob: 'SynapseSparkJobDefinitionActivity' } } },
  TriggerResource: { Trigger: { type: { ScheduleTrigger: 'ScheduleTrigger' } } },
  LinkedServiceResource: { LinkedService: { type: { CosmosDb: 'CosmosDbLinkedService' } } },
}
const mappers = await import(pathToFileURL(process.argv[2] ?? '').href)
const byClass = new Map(
  Object.values(mappers).flatMap((mapper) =>
    mapper?.type?.className ? [[mapper.type.className, mapper]] : [],
  ),
)
const kinds = Object.assign({}, ...Object.values(ROOTS))
const types = {}

function typeOf({ name, className, element, value, allowedValues }) {
  if (name === 'Composite') return { class: add(className) }
  if (name === 'Sequence') return { list: typeOf(element.type) }
  if (name === 'Dictionary') return { map: typeOf(value.type) }
  if (name === 'Enum') return { words: allowedValues }
  return {
    primitive: { String: 'string', Number: 'number', Boolean: 'boolean', DateTime: 'string' }[name] ?? 'any',
  }
}

function add(className) {
  if (types[className] !== undefined) return className
  types[className] = { props: {} }
  const choices = kinds[className]
  if (choices !== undefined) {
    const [by, cases] = Object.entries(choices)[0]
    types[className] = {
      by,
      cases: Object.fromEntries(Object.entries(cases).map(([word, inner]) => [word, add(inner)])),
    }
    return className
  }
  const mapper = byClass.get(className)
  for (const property of Object.values(mapper.type.modelProperties)) {
    // A service's own writing: nothing for a file to say.
    if (property.readOnly === true) continue
    const [first, ...rest] = property.serializedName.replaceAll('\\.', '\u0000').split('.')
    const name = first.replaceAll('\u0000', '.')
    const required = property.required === true ? { required: true } : {}
    if (rest.length === 0) types[className].props[name] = { ...typeOf(property.type), ...required }
    else {
      const inner = `${className}.${name}`
      types[className].props[name] ??= { class: inner }
      types[inner] ??= { props: {} }
      types[inner].props[rest.join('.')] = { ...typeOf(property.type), ...required }
    }
  }
  return className
}

for (const root of Object.keys(ROOTS)) add(root)
writeFileSync(
  new URL('synapse.json', import.meta.url),
  JSON.stringify({ source: '@azure/synapse-artifacts@1.0.0-beta.12', types }, undefined, 2),
)
