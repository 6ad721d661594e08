import { CosmosClient } from '@azure/cosmos'
import { WorkloadIdentityCredential } from '@azure/identity'

/** An account and how to sign in to it: with its key, or as the pod's workload identity through Entra ID. */
export type CosmosAccount = { readonly endpoint: string } & (
  | { readonly key: string; readonly identity?: undefined }
  | { readonly identity: 'workload'; readonly key?: undefined }
)

/** Microsoft's client for an account; the caller disposes of it. No I/O. */
export function cosmosClient({ endpoint, key }: CosmosAccount, userAgentSuffix: string): CosmosClient {
  if (key !== undefined) return new CosmosClient({ endpoint, key, userAgentSuffix })
  return new CosmosClient({ endpoint, aadCredentials: new WorkloadIdentityCredential(), userAgentSuffix })
}
