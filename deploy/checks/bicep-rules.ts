import { exactText, partsOf, walk, type BicepFile, type Expr } from './bicep.ts'
import { conformResource, type Finding, type Known } from './conform.ts'
import type { ResourceSchema } from './schema.ts'

/** Functions of Bicep that these files use; one that is missing here is a misspelling until it is added. */
const FUNCTIONS = new Set(
  (
    'concat flatten guid join json length loadJsonContent loadTextContent map ' +
    'empty endsWith replace subscription subscriptionResourceId tenant toLower uniqueString'
  ).split(' '),
)

/** Everything the checks find wrong in a set of Bicep files that belong together. */
export function checkBicep(
  files: readonly BicepFile[],
  schemas: ReadonlyMap<string, ResourceSchema>,
  known: Known,
): Finding[] {
  return files.flatMap((file) => [
    ...file.syntaxErrors.map(({ line, text }) => ({
      file: file.file,
      line,
      message: `syntax: not understood from ${JSON.stringify(text)}`,
    })),
    ...checkNames(file),
    ...checkResources(file, schemas, known),
    ...checkModules(file, files),
    ...checkSecrets(file),
  ])
}

/** Every name is declared, every declaration used, every function known. */
function checkNames(file: BicepFile): Finding[] {
  const findings: Finding[] = []
  const used = new Set<string>()
  const declared = new Map(
    [...file.params, ...file.vars, ...file.resources, ...file.modules].map(({ name, line }) => [name, line]),
  )
  const visit = (expr: Expr, bound: ReadonlySet<string>): void => {
    if (expr.kind === 'call' && expr.callee.kind === 'name') {
      const { name } = expr.callee
      if (!FUNCTIONS.has(name)) find(expr.line, `${name}: no such function`)
      for (const arg of expr.args) visit(arg, bound)
      return
    }
    if (expr.kind === 'name' && !bound.has(expr.name)) {
      used.add(expr.name)
      if (!declared.has(expr.name)) find(expr.line, `${expr.name}: not declared`)
    }
    const inner =
      expr.kind === 'each' || expr.kind === 'lambda' ? new Set([...bound, ...expr.variables]) : bound
    for (const part of partsOf(expr)) visit(part, inner)
  }
  const find = (line: number, message: string): void => {
    findings.push({ file: file.file, line, message })
  }
  for (const expr of expressionsOf(file)) visit(expr, new Set())
  const mayStandAlone = new Set([
    ...file.resources.filter(({ existing }) => !existing).map(({ name }) => name),
    ...file.modules.map(({ name }) => name),
  ])
  for (const [name, line] of declared) {
    if (!used.has(name) && !mayStandAlone.has(name)) find(line, `${name}: declared and never used`)
  }
  return findings
}

function checkResources(
  file: BicepFile,
  schemas: ReadonlyMap<string, ResourceSchema>,
  known: Known,
): Finding[] {
  return file.resources.flatMap(({ name, type, existing, body, line }): Finding[] => {
    const schema = schemas.get(type)
    if (schema === undefined)
      return [{ file: file.file, line, message: `${type}: no schema was taken of this type and version` }]
    return existing ? [] : conformResource(file, body, schema, known, name)
  })
}

/** Modules get the parameters they need, of their type, and give the outputs that are read. */
function checkModules(file: BicepFile, files: readonly BicepFile[]): Finding[] {
  const findings: Finding[] = []
  const find = (line: number, message: string): void => {
    findings.push({ file: file.file, line, message })
  }
  for (const { name, path, body, line } of file.modules) {
    const target = files.find((other) => other.file === path)
    if (target === undefined) {
      find(line, `module ${name}: there is no ${path}`)
      continue
    }
    const inner = body.kind === 'when' ? body.body : body
    const given =
      inner.kind === 'object' ? inner.entries.find(({ key }) => key === 'params')?.value : undefined
    const entries = given?.kind === 'object' ? given.entries : []
    for (const { key, value, line: at } of entries) {
      const param = target.params.find((one) => one.name === key)
      if (param === undefined) find(at, `module ${name}: ${path} has no parameter ${key}`)
      else if (!mayBe(value, param.type, file))
        find(at, `module ${name}: ${key} is to be of type ${param.type}`)
    }
    for (const param of target.params) {
      if (param.value === undefined && !entries.some(({ key }) => key === param.name))
        find(line, `module ${name}: ${path} needs the parameter ${param.name}`)
    }
  }
  for (const expr of expressionsOf(file).flatMap((one) => [...walk(one)])) {
    if (expr.kind !== 'member' || expr.of.kind !== 'member' || expr.of.name !== 'outputs') continue
    const owner = expr.of.of
    const module = owner.kind === 'name' ? file.modules.find(({ name }) => name === owner.name) : undefined
    const target = files.find((other) => other.file === module?.path)
    if (target !== undefined && !target.outputs.some(({ name }) => name === expr.name))
      find(expr.line, `${target.file} has no output ${expr.name}`)
  }
  return findings
}

function mayBe(value: Expr, type: string, file: BicepFile): boolean {
  switch (value.kind) {
    case 'text':
      return type === 'string'
    case 'number':
      return type === 'int'
    case 'boolean':
      return type === 'bool'
    case 'array':
      return type === 'array'
    case 'object':
      return type === 'object'
    case 'name': {
      const param = file.params.find(({ name }) => name === value.name)
      const variable = file.vars.find(({ name }) => name === value.name)
      return param !== undefined
        ? param.type === type
        : variable === undefined || mayBe(variable.value, type, file)
    }
    default:
      return true
  }
}

const SECRET_NAME = /(key|secret|password|token)$/i
const LOOKS_LIKE_KEY = /^[A-Za-z0-9+/_-]{40,}={0,2}$/

/** No key in a file, and none in an output: outputs are kept in the deployment's history. */
function checkSecrets(file: BicepFile): Finding[] {
  const findings: Finding[] = []
  const find = (line: number, message: string): void => {
    findings.push({ file: file.file, line, message })
  }
  for (const expr of expressionsOf(file).flatMap((one) => [...walk(one)])) {
    if (expr.kind !== 'object') continue
    for (const { key = '', value, line } of expr.entries) {
      const [text] = exactText(value)
      if (text === undefined) continue
      if (LOOKS_LIKE_KEY.test(text) || (SECRET_NAME.test(key) && !/^(Enabled|Disabled|)$/.test(text)))
        find(line, `${key}: looks like a key written into the file`)
    }
  }
  for (const { name, value, line } of file.outputs) {
    const leaks = [...walk(value)].some((expr) => expr.kind === 'member' && /^list[A-Z]/.test(expr.name))
    if (leaks) find(line, `output ${name}: a key in an output stays in the deployment's history`)
  }
  return findings
}

function expressionsOf(file: BicepFile): Expr[] {
  return [
    ...file.params.flatMap(({ value }) => value ?? []),
    ...[...file.vars, ...file.outputs].map(({ value }) => value),
    ...[...file.resources, ...file.modules].map(({ body }) => body),
  ]
}
