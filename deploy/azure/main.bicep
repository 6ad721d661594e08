targetScope = 'subscription'

@description('Names everything; two environments of one subscription need two names.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Home region: Cosmos writes, the cluster, the vault.')
param location string

@description('Further Cosmos regions, nearest to failing over to first. Visitors there are read from there.')
param readLocations string[] = []

@description('Spread each Cosmos region over availability zones; not every region has them.')
param zoneRedundant bool = true

@description('autoscale: 10 to 100 % of maxRu, the hour billed by its peak at 1.5 times the manual price. manual: fixedRu, always. Autoscale is cheaper while the average stays below 66 % of the peak.')
@allowed([
  'autoscale'
  'manual'
])
param throughputMode string = 'autoscale'

@description('Autoscale: RU/s of the events container at most, in steps of 1000.')
@minValue(1000)
param maxRu int = 4000

@description('Manual: RU/s of the events container, in steps of 100.')
@minValue(400)
param fixedRu int = 1000

@description('Autoscale: RU/s at most of each container but events: catalogue, users, decisions, settings, leases.')
@minValue(1000)
param otherMaxRu int = 1000

@description('Manual: RU/s of each container but events.')
@minValue(400)
param otherFixedRu int = 400

@description('Where models are trained in full: none trains on the cluster (attune train), the others on Spark.')
@allowed([
  'none'
  'databricks'
  'synapse'
])
param spark string = 'none'

@description('AKS release.')
param kubernetesVersion string = '1.34'

@description('Object id of who operates this environment: may write secrets and administer the cluster.')
param operatorPrincipalId string

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param operatorPrincipalType string = 'User'

@description('Alerts are sent here.')
param alertEmail string

@description('Put API Management in front of the edge.')
param gateway bool = false

@description('Base URL of the edge behind API Management.')
param gatewayBackendUrl string = ''

@description('Requests a day that each public site key may make through API Management; counted by the classic tiers only.')
param gatewayDailyQuota string = '50000000'

@description('Application ID URI whose tokens let operators in through API Management; empty: nobody.')
param gatewayAudience string = ''

@description('Origin of a back office whose pages call for operators through API Management.')
param gatewayBackOffice string = ''

@allowed([
  'Developer'
  'Basic'
  'Standard'
  'Premium'
  'BasicV2'
  'StandardV2'
])
param gatewaySku string = 'BasicV2'

var tags = {
  'azd-env-name': environmentName
}
var token = uniqueString(subscription().id, environmentName, location)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    alertEmail: alertEmail
    scalerPrincipalId: identities.outputs.scalerPrincipalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
  }
}

module identities 'identities.bicep' = {
  name: 'identities'
  scope: group
  params: {
    location: location
    tags: tags
  }
}

module vault 'vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    readers: [
      identities.outputs.edgePrincipalId
      identities.outputs.bridgePrincipalId
    ]
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
  }
}

module cosmos 'cosmos.bicep' = {
  name: 'cosmos'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    readLocations: readLocations
    zoneRedundant: zoneRedundant
    throughputMode: throughputMode
    maxRu: maxRu
    fixedRu: fixedRu
    otherMaxRu: otherMaxRu
    otherFixedRu: otherFixedRu
    vaultName: vault.outputs.name
    // Synapse's linked service reads as the workspace itself.
    readers: concat([
      identities.outputs.bridgePrincipalId
      identities.outputs.trainingPrincipalId
    ], spark == 'synapse' ? [
      synapse!.outputs.principalId
    ] : [])
    writers: [
      identities.outputs.edgePrincipalId
    ]
    followers: [
      identities.outputs.bridgePrincipalId
    ]
    logsId: monitoring.outputs.logsId
  }
}

module registry 'registry.bicep' = {
  name: 'registry'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    pullers: [
      identities.outputs.kubeletPrincipalId
    ]
    pushers: [
      {
        id: operatorPrincipalId
        type: operatorPrincipalType
      }
    ]
  }
}

module lake 'lake.bicep' = if (spark != 'none') {
  name: 'lake'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    writers: [
      identities.outputs.trainingPrincipalId
    ]
    readers: [
      identities.outputs.bridgePrincipalId
    ]
  }
}

module databricks 'databricks.bicep' = if (spark == 'databricks') {
  name: 'databricks'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    trainingIdentityName: identities.outputs.trainingName
  }
}

module synapse 'synapse.bicep' = if (spark == 'synapse') {
  name: 'synapse'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    lakeName: lake!.outputs.name
    lakeUrl: lake!.outputs.url
    trainingIdentityName: identities.outputs.trainingName
    operatorPrincipalId: operatorPrincipalId
  }
}

module cluster 'cluster.bicep' = {
  name: 'cluster'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    kubernetesVersion: kubernetesVersion
    controlPlaneIdentityName: identities.outputs.controlPlaneName
    kubeletIdentityName: identities.outputs.kubeletName
    collectionRuleId: monitoring.outputs.collectionRuleId
    collectionEndpointId: monitoring.outputs.collectionEndpointId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
  }
}

module federation 'federation.bicep' = {
  name: 'federation'
  scope: group
  params: {
    issuer: cluster.outputs.issuer
    subjects: [
      {
        identity: identities.outputs.edgeName
        namespace: 'attune'
        serviceAccount: 'attune-edge'
      }
      {
        identity: identities.outputs.bridgeName
        namespace: 'attune'
        serviceAccount: 'attune-bridge'
      }
      {
        identity: identities.outputs.scalerName
        namespace: 'kube-system'
        serviceAccount: 'keda-operator'
      }
    ]
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    cosmosAccountId: cosmos.outputs.accountId
    clusterId: cluster.outputs.id
    clusterName: cluster.outputs.name
    metricsId: monitoring.outputs.metricsId
    actionGroupId: monitoring.outputs.actionGroupId
  }
}

module apim 'apim.bicep' = if (gateway) {
  name: 'apim'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    sku: gatewaySku
    publisherEmail: alertEmail
    backendUrl: gatewayBackendUrl
    dailyQuota: gatewayDailyQuota
    operatorsAudience: gatewayAudience
    backOffice: gatewayBackOffice
    vaultName: vault.outputs.name
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_AKS_CLUSTER_NAME string = cluster.outputs.name
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.server
output AZURE_KEY_VAULT_NAME string = vault.outputs.name
output AZURE_TENANT_ID string = tenant().tenantId
output ATTUNE_EDGE_CLIENT_ID string = identities.outputs.edgeClientId
output ATTUNE_BRIDGE_CLIENT_ID string = identities.outputs.bridgeClientId
output ATTUNE_SCALER_CLIENT_ID string = identities.outputs.scalerClientId
output ATTUNE_METRICS_QUERY_URL string = monitoring.outputs.metricsQueryUrl
output COSMOS_ENDPOINT string = cosmos.outputs.endpoint
output COSMOS_ENDPOINTS string = cosmos.outputs.endpoints
output ATTUNE_LAKE_URL string = spark == 'none' ? '' : lake!.outputs.url
output ATTUNE_TRAINING_CLIENT_ID string = identities.outputs.trainingClientId
output DATABRICKS_HOST string = spark == 'databricks' ? databricks!.outputs.url : ''
output ATTUNE_DATABRICKS_CONNECTOR_ID string = spark == 'databricks' ? databricks!.outputs.connectorId : ''
output ATTUNE_SYNAPSE_URL string = spark == 'synapse' ? synapse!.outputs.url : ''
output ATTUNE_SYNAPSE_POOL string = spark == 'synapse' ? synapse!.outputs.poolName : ''
