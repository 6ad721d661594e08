import { walk, type BicepFile, type Expr } from './bicep.ts'
import type { Finding } from './conform.ts'

/**
 * Throughput of Cosmos is given in one place per container and in one way: autoscale or fixed, never both, never
 * neither, and the parameter decides.
 */
export function checkThroughput(file: BicepFile): Finding[] {
  const findings: Finding[] = []
  const find = (line: number, message: string): void => {
    findings.push({ file: file.file, line, message })
  }
  for (const { name, type, body, line } of file.resources) {
    const kind = type.split('@')[0]
    const options = [...walk(body)].flatMap((expr) =>
      expr.kind === 'object' ? expr.entries.filter(({ key }) => key === 'options') : [],
    )
    if (kind === 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases' && options.length > 0)
      find(line, `${name}: throughput belongs to the containers, not to the database`)
    if (kind !== 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers') continue
    if (options.length !== 1) find(line, `${name}: expected options once, found them ${options.length} times`)
    for (const { value, line: at } of options) {
      const ways = waysOf(value)
      if (value.kind !== 'either')
        find(at, `${name}: the parameter has to choose between autoscale and manual`)
      for (const way of ways) {
        if (way.length !== 1)
          find(
            at,
            `${name}: expected autoscaleSettings or throughput, received ${way.join(' and ') || 'neither'}`,
          )
      }
      if (new Set(ways.flat()).size !== 2) find(at, `${name}: both ways must be offered`)
    }
  }
  return findings
}

/** Per choice, which of the two settings it has. */
function waysOf(expr: Expr): string[][] {
  if (expr.kind === 'either') return expr.options.flatMap(waysOf)
  if (expr.kind !== 'object') return [[]]
  return [
    expr.entries.flatMap(({ key = '' }) => (['autoscaleSettings', 'throughput'].includes(key) ? [key] : [])),
  ]
}

/** The account's own settings that the session guarantee and the bill depend on. */
export function checkAccount(file: BicepFile): Finding[] {
  const findings: Finding[] = []
  const wanted: readonly (readonly [string, string])[] = [
    ['defaultConsistencyLevel', 'Session'],
    ['enableMultipleWriteLocations', 'false'],
    ['disableKeyBasedMetadataWriteAccess', 'true'],
  ]
  for (const { name, type, body, line } of file.resources) {
    if (type.split('@')[0] !== 'Microsoft.DocumentDB/databaseAccounts') continue
    const entries = [...walk(body)].flatMap((expr) => (expr.kind === 'object' ? expr.entries : []))
    for (const [key, value] of wanted) {
      const given = entries.find((entry) => entry.key === key)?.value
      const text = given?.kind === 'text' || given?.kind === 'boolean' ? String(given.value) : 'nothing'
      if (text !== value)
        findings.push({
          file: file.file,
          line,
          message: `${name}.${key}: expected ${value}, received ${text}`,
        })
    }
  }
  return findings
}
