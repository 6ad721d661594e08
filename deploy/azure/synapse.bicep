param location string
param tags object
param token string
param lakeName string
param lakeUrl string

@description('Managed identity that jobs read Cosmos and the lake as.')
param trainingIdentityName string

@description('Who may run and publish jobs.')
param operatorPrincipalId string

var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource training 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: trainingIdentityName
}

resource lake 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: lakeName
}

resource workspace 'Microsoft.Synapse/workspaces@2021-06-01' = {
  name: 'syn-${token}'
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned,UserAssigned'
    userAssignedIdentities: {
      '${training.id}': {}
    }
  }
  properties: {
    // Signing in is by identity alone: no SQL administrator, no password.
    azureADOnlyAuthentication: true
    cspWorkspaceAdminProperties: {
      initialWorkspaceAdminObjectId: operatorPrincipalId
    }
    defaultDataLakeStorage: {
      accountUrl: lakeUrl
      filesystem: 'training'
      resourceId: lake.id
    }
    managedVirtualNetwork: 'default'
    publicNetworkAccess: 'Enabled'
  }
}

resource pool 'Microsoft.Synapse/workspaces/bigDataPools@2021-06-01' = {
  parent: workspace
  name: 'attune'
  location: location
  tags: tags
  properties: {
    sparkVersion: '3.5'
    nodeSizeFamily: 'MemoryOptimized'
    nodeSize: 'Medium'
    autoScale: {
      enabled: true
      minNodeCount: 3
      maxNodeCount: 10
    }
    autoPause: {
      enabled: true
      delayInMinutes: 10
    }
    dynamicExecutorAllocation: {
      enabled: false
    }
    sessionLevelPackagesEnabled: true
  }
}

// The workspace itself keeps its logs in the lake.
resource mayWrite 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(lake.id, workspace.id, blobContributor)
  scope: lake
  properties: {
    principalId: workspace.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
  }
}

output url string = workspace.properties.connectivityEndpoints.dev
output poolName string = pool.name
output principalId string = workspace.identity.principalId
