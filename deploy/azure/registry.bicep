param location string
param tags object
param token string

@description('Principals that pull: the kubelet.')
param pullers string[]

@description('Who pushes images.')
param pushers {
  id: string
  type: string
}[]

var acrPull = '7f951dda-4ed3-4680-a7ca-43fe172d538d'
var acrPush = '8311e382-0749-4cb8-b61a-304f252e45ec'

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  name: 'cr${token}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

resource mayPull 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for puller in pullers: {
  name: guid(registry.id, puller, acrPull)
  scope: registry
  properties: {
    principalId: puller
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPull)
  }
}]

resource mayPush 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for pusher in pushers: {
  name: guid(registry.id, pusher.id, acrPush)
  scope: registry
  properties: {
    principalId: pusher.id
    principalType: pusher.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPush)
  }
}]

output server string = registry.properties.loginServer
