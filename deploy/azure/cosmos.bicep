param location string
param tags object
param token string
param readLocations string[]
param zoneRedundant bool

@allowed([
  'autoscale'
  'manual'
])
param throughputMode string

@description('RU/s of events, where every click and every history is.')
param maxRu int
param fixedRu int

@description('RU/s of each of the others.')
param otherMaxRu int
param otherFixedRu int

@description('Vault that the account keys are put into; they appear in no file and no output.')
param vaultName string

@description('Principals that may read data.')
param readers string[]

@description('Principals that may write data.')
param writers string[]

@description('Principals that read everything and keep their place in the leases container.')
param followers string[]

param logsId string

// Checked against CONTAINERS of packages/core/src/storage.ts: the code's definitions are the only ones.
var containers = loadJsonContent('containers.json')
var database = 'attune'
var busiest = 'events'

var home = [
  {
    locationName: location
    failoverPriority: 0
    isZoneRedundant: zoneRedundant
  }
]
var others = [for (readLocation, index) in readLocations: {
  locationName: readLocation
  failoverPriority: index + 1
  isZoneRedundant: zoneRedundant
}]

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' = {
  name: 'cosmos-${token}'
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: concat(home, others)
    consistencyPolicy: {
      // The session guarantee is built on session tokens: weaker loses it, stronger pays for it on every read.
      defaultConsistencyLevel: 'Session'
    }
    enableMultipleWriteLocations: false
    enableAutomaticFailover: length(readLocations) > 0
    // Each region and partition scales by its own load instead of the busiest one's.
    enablePerRegionPerPartitionAutoscale: throughputMode == 'autoscale'
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: {
        tier: 'Continuous7Days'
      }
    }
    // Edge and bridge sign their requests with an account key: it cannot be turned off yet (docs/deploy.md).
    disableLocalAuth: false
    // Keys may write data, never containers or throughput.
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
  }
}

resource sqlDatabase 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-04-15' = {
  parent: account
  name: database
  properties: {
    resource: {
      id: database
    }
  }
}

resource sqlContainers 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-04-15' = [for container in containers: {
  parent: sqlDatabase
  name: container.id
  properties: {
    resource: container
    options: throughputMode == 'autoscale' ? {
      autoscaleSettings: {
        maxThroughput: container.id == busiest ? maxRu : otherMaxRu
      }
    } : {
      throughput: container.id == busiest ? fixedRu : otherFixedRu
    }
  }
}]

// Cosmos's own data-plane roles, the same in every account.
var dataReader = '00000000-0000-0000-0000-000000000001'
var dataContributor = '00000000-0000-0000-0000-000000000002'

resource mayRead 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = [for reader in readers: {
  parent: account
  name: guid(account.id, reader, dataReader)
  properties: {
    principalId: reader
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataReader}'
    scope: account.id
  }
}]

resource mayWrite 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = [for writer in writers: {
  parent: account
  name: guid(account.id, writer, dataContributor)
  properties: {
    principalId: writer
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
    scope: account.id
  }
}]

resource mayKeepPlace 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = [for follower in followers: {
  parent: account
  name: guid(account.id, follower, 'leases')
  properties: {
    principalId: follower
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
    scope: '${account.id}/dbs/${database}/colls/leases'
  }
}]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource writeKey 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'cosmos-key'
  properties: {
    value: account.listKeys().primaryMasterKey
    contentType: 'Cosmos account key, primary'
  }
}

resource requestLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'requests'
  scope: account
  properties: {
    workspaceId: logsId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'PartitionKeyRUConsumption'
        enabled: true
      }
      {
        category: 'ControlPlaneRequests'
        enabled: true
      }
    ]
  }
}

output accountId string = account.id
output endpoint string = account.properties.documentEndpoint
// The edge takes the write region first; it learns about failovers from the account itself.
output endpoints string = join(map(account.properties.readLocations, region => region.documentEndpoint), ',')
