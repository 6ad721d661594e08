param location string
param tags object
param token string

@allowed([
  'Developer'
  'Basic'
  'Standard'
  'Premium'
  'BasicV2'
  'StandardV2'
])
param sku string
param publisherEmail string

@description('Base URL of the edge, without /v1.')
param backendUrl string

@description('Requests a day that each public site key may make; counted by the classic tiers only.')
param dailyQuota string

@description('Audience of the tokens that operators bring: the application ID URI registered for this gateway. Empty: operators are not let in.')
param operatorsAudience string

@description('Origin of the back office whose pages call for operators.')
param backOffice string

@description('Vault that holds the edge\'s admin key as the secret gateway-admin-key.')
param vaultName string

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  name: 'apim-${token}'
  location: location
  tags: tags
  sku: {
    name: sku
    capacity: 1
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    publisherEmail: publisherEmail
    publisherName: 'Attune'
  }
}

resource versions 'Microsoft.ApiManagement/service/apiVersionSets@2024-05-01' = {
  parent: service
  name: 'attune'
  properties: {
    displayName: 'Attune edge'
    versioningScheme: 'Segment'
  }
}

resource backend 'Microsoft.ApiManagement/service/backends@2024-05-01' = {
  parent: service
  name: 'attune-edge'
  properties: {
    protocol: 'http'
    url: '${backendUrl}/v1'
    tls: {
      validateCertificateChain: true
      validateCertificateName: true
    }
    circuitBreaker: {
      rules: [
        {
          name: 'edge-failing'
          tripDuration: 'PT10S'
          acceptRetryAfter: true
          failureCondition: {
            count: 20
            interval: 'PT10S'
            statusCodeRanges: [
              {
                min: 500
                max: 599
              }
            ]
          }
        }
      ]
    }
  }
}

// The v2 tiers have no quotas.
var quota = endsWith(sku, 'V2') ? '' : loadTextContent('policies/quota.xml')
var operatorsMayCall = !empty(operatorsAudience)

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource readsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, service.id, secretsUser)
  scope: vault
  properties: {
    principalId: service.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

// Written into the policies as {{name}}.
var plainValues = [
  {
    name: 'attune-daily-quota'
    value: dailyQuota
  }
  {
    name: 'attune-edge'
    value: backendUrl
  }
  {
    name: 'attune-tenant'
    value: tenant().tenantId
  }
  {
    name: 'attune-audience'
    value: operatorsMayCall ? operatorsAudience : 'nobody'
  }
  {
    name: 'attune-back-office'
    value: empty(backOffice) ? 'https://nobody.invalid' : backOffice
  }
]

resource namedValues 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = [for plain in plainValues: {
  parent: service
  name: plain.name
  properties: {
    displayName: plain.name
    value: plain.value
    secret: false
  }
}]

resource adminKey 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = if (operatorsMayCall) {
  parent: service
  name: 'attune-admin-key'
  properties: {
    displayName: 'attune-admin-key'
    secret: true
    keyVault: {
      secretIdentifier: '${vault.properties.vaultUri}secrets/gateway-admin-key'
    }
  }
  dependsOn: [
    readsSecrets
  ]
}

// Both documents are the edge's own as far as each audience may call it; a test makes them anew and compares.
resource pages 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: 'attune-v1'
  properties: {
    displayName: 'Attune edge'
    path: ''
    apiVersion: 'v1'
    apiVersionSetId: versions.id
    format: 'openapi+json'
    value: loadTextContent('openapi-pages.json')
    protocols: [
      'https'
    ]
    // Pages carry a public site key, which the edge checks.
    subscriptionRequired: false
  }
}

resource pagesPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: pages
  name: 'policy'
  properties: {
    format: 'xml'
    value: replace(loadTextContent('policies/pages.xml'), '<!-- quota -->', quota)
  }
  dependsOn: [
    backend
    namedValues
  ]
}

resource operators 'Microsoft.ApiManagement/service/apis@2024-05-01' = if (operatorsMayCall) {
  parent: service
  name: 'attune-operators-v1'
  properties: {
    displayName: 'Attune edge, operators'
    path: 'operate'
    apiVersion: 'v1'
    apiVersionSetId: versions.id
    format: 'openapi+json'
    value: loadTextContent('openapi-operators.json')
    protocols: [
      'https'
    ]
    // They bring a token of Entra, which the policy checks.
    subscriptionRequired: false
  }
}

resource operatorsPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = if (operatorsMayCall) {
  parent: operators
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('policies/operators.xml')
  }
  dependsOn: [
    backend
    namedValues
    adminKey
  ]
}
