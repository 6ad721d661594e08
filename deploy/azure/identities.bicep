param location string
param tags object

resource edge 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-attune-edge'
  location: location
  tags: tags
}

resource bridge 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-attune-bridge'
  location: location
  tags: tags
}

resource training 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-attune-training'
  location: location
  tags: tags
}

// KEDA asks Prometheus as this one.
resource scaler 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-attune-scaler'
  location: location
  tags: tags
}

resource controlPlane 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-attune-aks'
  location: location
  tags: tags
}

resource kubelet 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-attune-kubelet'
  location: location
  tags: tags
}

// The cluster's own identity hands the kubelet's to the nodes.
var managedIdentityOperator = 'f1a07417-d97a-45cb-824c-7a7467783830'

resource mayAssign 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(kubelet.id, controlPlane.id, managedIdentityOperator)
  scope: kubelet
  properties: {
    principalId: controlPlane.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', managedIdentityOperator)
  }
}

output edgeName string = edge.name
output edgePrincipalId string = edge.properties.principalId
output edgeClientId string = edge.properties.clientId
output bridgeName string = bridge.name
output bridgePrincipalId string = bridge.properties.principalId
output bridgeClientId string = bridge.properties.clientId
output scalerName string = scaler.name
output scalerPrincipalId string = scaler.properties.principalId
output scalerClientId string = scaler.properties.clientId
output trainingName string = training.name
output trainingClientId string = training.properties.clientId
output trainingPrincipalId string = training.properties.principalId
output controlPlaneName string = controlPlane.name
output kubeletName string = kubelet.name
output kubeletPrincipalId string = kubelet.properties.principalId
