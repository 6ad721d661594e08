import type { Environment } from '../config.ts'

/** An environment that remembers what was asked of it. */
export interface WatchedEnvironment {
  readonly env: Environment
  /** Settings that look like ours and nobody asked for: misspelt, or of another version. */
  unread(): string[]
}

const OURS = /^(ATTUNE|COSMOS)_/
/** Kubernetes tells every container of the services beside it: `ATTUNE_EDGE_SERVICE_HOST`, `ATTUNE_EDGE_PORT_80_TCP`. */
const OF_KUBERNETES = /_(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP).*)?)$/
/** Objects of Workers, not settings. */
const isText = (value: unknown): boolean => typeof value === 'string'

export function watchEnvironment(env: Environment): WatchedEnvironment {
  const asked = new Set<string>()
  return {
    env: new Proxy(env, {
      get(target, name: string) {
        asked.add(name)
        return target[name]
      },
    }),
    unread: () =>
      Object.entries(env).flatMap(([name, value]) =>
        OURS.test(name) && isText(value) && !asked.has(name) && !OF_KUBERNETES.test(name) ? [name] : [],
      ),
  }
}
