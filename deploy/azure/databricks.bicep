param location string
param tags object
param token string

@description('Managed identity that jobs read Cosmos and the lake as.')
param trainingIdentityName string

resource training 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: trainingIdentityName
}

resource workspace 'Microsoft.Databricks/workspaces@2024-05-01' = {
  name: 'dbw-${token}'
  location: location
  tags: tags
  sku: {
    // Needed for Unity Catalog, through which jobs get at the lake without a key.
    name: 'premium'
  }
  properties: {
    managedResourceGroupId: subscriptionResourceId('Microsoft.Resources/resourceGroups', 'rg-dbw-${token}')
    publicNetworkAccess: 'Enabled'
    parameters: {
      enableNoPublicIp: {
        value: true
      }
    }
  }
}

// Unity Catalog's credential: storage and Cosmos see the training identity.
resource connector 'Microsoft.Databricks/accessConnectors@2024-05-01' = {
  name: 'dbc-${token}'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${training.id}': {}
    }
  }
  properties: {}
}

output url string = 'https://${workspace.properties.workspaceUrl}'
output connectorId string = connector.id
