import { WorkloadIdentityCredential } from '@azure/identity'

/** What Cosmos's own clients ask for. */
const SCOPE = 'https://cosmos.azure.com/.default'
/** A token is asked for anew this long before it ends. */
const RENEW_BEFORE_MS = 5 * 60_000
/** With a token that still holds, a failed renewal is not tried again for so long. */
const RETRY_MS = 30_000

export interface WorkloadIdentityOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * Tokens for Cosmos of the identity that AKS gives the pod: `AZURE_CLIENT_ID`, `AZURE_TENANT_ID` and
 * `AZURE_FEDERATED_TOKEN_FILE`, which the workload identity webhook sets. One token serves every request until shortly
 * before its end; while a new one cannot be had, the old one goes on.
 *
 * @returns a function that throws the library's error when there is no token that still holds
 * @see https://learn.microsoft.com/azure/aks/workload-identity-overview
 */
export function workloadIdentity({ now }: WorkloadIdentityOptions): () => Promise<string> {
  const credential = new WorkloadIdentityCredential()
  let held: { readonly token: string; readonly until: number } | undefined
  let asking: Promise<string> | undefined
  let triedAt = -Infinity
  const ask = async (): Promise<string> => {
    triedAt = now()
    const { token, expiresOnTimestamp } = await credential.getToken(SCOPE)
    held = { token, until: expiresOnTimestamp }
    return token
  }
  return async () => {
    const at = now()
    if (held !== undefined && at < held.until - RENEW_BEFORE_MS) return held.token
    const old = held !== undefined && at < held.until ? held.token : undefined
    if (old !== undefined && at - triedAt < RETRY_MS) return old
    asking ??= ask().finally(() => (asking = undefined))
    if (old === undefined) return await asking
    // No request waits for a renewal while there is a token that holds.
    asking.catch(() => undefined)
    return old
  }
}
