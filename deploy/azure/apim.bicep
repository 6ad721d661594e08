param location string
param tags object
param token string

@allowed([
  'Developer'
  'BasicV2'
  'StandardV2'
])
param sku string
param publisherEmail string

@description('Base URL of the edge, without /v1.')
param backendUrl string

// Routes for pages only: models are pushed past the gateway. Checked against the edge's own routes.
var operations = loadJsonContent('operations.json')
var methods = [
  'POST'
  'OPTIONS'
]
var calls = flatten(map(operations, operation => map(methods, method => {
  name: '${operation.name}-${toLower(method)}'
  title: operation.title
  path: operation.path
  method: method
})))

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

resource api 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: 'attune-v1'
  properties: {
    displayName: 'Attune edge'
    path: ''
    apiVersion: 'v1'
    apiVersionSetId: versions.id
    protocols: [
      'https'
    ]
    // Pages carry a public site key, which the edge checks.
    subscriptionRequired: false
  }
}

resource apiOperations 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = [for call in calls: {
  parent: api
  name: call.name
  properties: {
    displayName: '${call.title} (${call.method})'
    method: call.method
    urlTemplate: call.path
  }
}]

resource apiPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: api
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('policies/edge.xml')
  }
  dependsOn: [
    backend
  ]
}
