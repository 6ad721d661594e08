import { mkdir, access, constants } from 'node:fs/promises'
import type { Issue } from '@attune/core'
import { ConfigError, configError, readConfig, type Config, type Environment } from '../config.ts'
import type { NodeOptions } from '../node.ts'

const DEFAULT_PORT = 8787
const MAX_PORT = 65_535

/** What a container starts with. */
export interface NodeSettings {
  readonly config: Config
  readonly options: NodeOptions
}

/**
 * Everything a container's environment says, the settings of the app and of this host, and whether the folder of the
 * models can be written.
 *
 * @throws {ConfigError} `CONFIG_INVALID`, once, listing every problem
 */
export async function readNodeSettings(env: Environment): Promise<NodeSettings> {
  const issues: Issue[] = []
  const fail = (path: string, expected: string, received: string): void => {
    const message = `${path}: expected ${expected}, received ${received}`
    issues.push({ path, code: 'SETTING_INVALID', message, expected })
  }
  const text = (name: string): string | undefined => {
    const value = env[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const port = (name: string): number | undefined => {
    const said = text(name)
    if (said === undefined) return undefined
    const number = /^\d{1,5}$/.test(said) ? Number(said) : NaN
    if (!(number <= MAX_PORT)) fail(name, `a port, 0 to ${MAX_PORT}`, said.slice(0, 40))
    return number
  }
  const main = port('PORT') ?? DEFAULT_PORT
  const metricsPort = port('ATTUNE_METRICS_PORT')
  if (metricsPort === main && main !== 0) fail('ATTUNE_METRICS_PORT', 'a port of its own', String(main))
  const models = text('ATTUNE_MODELS') ?? './models'
  try {
    await mkdir(models, { recursive: true })
    await access(models, constants.W_OK)
  } catch (error) {
    fail('ATTUNE_MODELS', 'a folder that can be written', (error as NodeJS.ErrnoException).code ?? 'an error')
  }
  let config: Config | undefined
  try {
    config = readConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    issues.unshift(...error.issues)
  }
  if (config === undefined || issues.length > 0) throw configError(issues)
  return {
    config,
    options: {
      port: main,
      hostname: text('HOST') ?? '0.0.0.0',
      models,
      ...(metricsPort !== undefined && { metricsPort }),
    },
  }
}
