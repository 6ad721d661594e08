param location string
param tags object
param token string

@description('Principals that write what they prepared and trained.')
param writers string[]

@description('Principals that collect trained models.')
param readers string[]

var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var blobReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'

// Visits and counts between the steps of a training run, and the artifacts it hands to the bridge.
resource lake 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: 'lake${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_ZRS'
  }
  properties: {
    isHnsEnabled: true
    accessTier: 'Hot'
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
    // Identities only: there is no key that could leak.
    allowSharedKeyAccess: false
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: lake
  name: 'default'
}

resource training 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'training'
}

resource artifacts 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'artifacts'
}

// Prepared visits are clicks of people: they go with the clicks, whose own TTL is 90 days.
resource forget 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = {
  parent: lake
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'prepared-visits'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'training/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: 30
                }
              }
            }
          }
        }
      ]
    }
  }
}

resource mayWrite 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for writer in writers: {
  name: guid(lake.id, writer, blobContributor)
  scope: lake
  properties: {
    principalId: writer
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
  }
}]

resource mayRead 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for reader in readers: {
  name: guid(lake.id, reader, blobReader)
  scope: lake
  properties: {
    principalId: reader
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobReader)
  }
}]

output name string = lake.name
output id string = lake.id
output url string = lake.properties.primaryEndpoints.dfs
