import type { TokenCredential } from '@azure/identity'
import { SparkError } from './errors.ts'

/** Audiences of the services, as scopes of a token. */
export const SCOPES = {
  databricks: '2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default',
  synapse: 'https://dev.azuresynapse.net/.default',
  storage: 'https://storage.azure.com/.default',
} as const

let shared: TokenCredential | undefined

/**
 * Tokens of Microsoft Entra for one audience: workload identity on AKS, a managed identity, a service principal from the
 * environment, or whoever signed in with `az`. The library keeps them until they run out.
 *
 * @param make - how the credential is made; the default asks all of these in turn
 */
export function entraToken(
  scope: string,
  make: () => Promise<TokenCredential> = defaultCredential,
): () => Promise<string> {
  return async () => {
    try {
      const token = await (await make()).getToken(scope)
      if (token !== null) return token.token
    } catch (cause) {
      throw new SparkError(
        'SPARK_UNAUTHORIZED',
        `no token for ${scope}; sign in with \`az login\`, or give this process an identity`,
        { cause },
      )
    }
    throw new SparkError('SPARK_UNAUTHORIZED', `no token for ${scope}`)
  }
}

async function defaultCredential(): Promise<TokenCredential> {
  // Half a second to load, and only clusters in Azure need it.
  const { DefaultAzureCredential } = await import('@azure/identity')
  return (shared ??= new DefaultAzureCredential())
}
