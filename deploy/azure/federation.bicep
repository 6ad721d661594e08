@description('OIDC issuer of the cluster.')
param issuer string

@description('Which Kubernetes service account may act as which managed identity.')
param subjects {
  identity: string
  namespace: string
  serviceAccount: string
}[]

// Azure refuses two at once under one identity; one after the other costs seconds.
@batchSize(1)
resource credentials 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = [for subject in subjects: {
  name: '${subject.identity}/${subject.serviceAccount}'
  properties: {
    issuer: issuer
    subject: 'system:serviceaccount:${subject.namespace}:${subject.serviceAccount}'
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}]
