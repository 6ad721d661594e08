param location string
param tags object
param token string
param alertEmail string

@description('Principal of the autoscaler, which asks for request rates.')
param scalerPrincipalId string
param operatorPrincipalId string
param operatorPrincipalType string

var monitoringDataReader = 'b0d8363b-8ddd-447d-831f-62ca05bff136'
var grafanaAdmin = '22926164-76b3-42b3-bc55-97df8dab3e41'

resource logs 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-${token}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource metrics 'Microsoft.Monitor/accounts@2023-04-03' = {
  name: 'amw-${token}'
  location: location
  tags: tags
}

resource collectionEndpoint 'Microsoft.Insights/dataCollectionEndpoints@2023-03-11' = {
  name: 'dce-${token}'
  location: location
  tags: tags
  kind: 'Linux'
  properties: {
    networkAcls: {
      publicNetworkAccess: 'Enabled'
    }
  }
}

resource collectionRule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: 'dcr-${token}'
  location: location
  tags: tags
  kind: 'Linux'
  properties: {
    dataCollectionEndpointId: collectionEndpoint.id
    dataSources: {
      prometheusForwarder: [
        {
          name: 'PrometheusDataSource'
          streams: [
            'Microsoft-PrometheusMetrics'
          ]
        }
      ]
    }
    destinations: {
      monitoringAccounts: [
        {
          name: 'MonitoringAccount'
          accountResourceId: metrics.id
        }
      ]
    }
    dataFlows: [
      {
        streams: [
          'Microsoft-PrometheusMetrics'
        ]
        destinations: [
          'MonitoringAccount'
        ]
      }
    ]
  }
}

resource grafana 'Microsoft.Dashboard/grafana@2024-10-01' = {
  name: 'graf-${token}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    apiKey: 'Disabled'
    grafanaIntegrations: {
      azureMonitorWorkspaceIntegrations: [
        {
          azureMonitorWorkspaceResourceId: metrics.id
        }
      ]
    }
  }
}

resource grafanaReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(metrics.id, grafana.id, monitoringDataReader)
  scope: metrics
  properties: {
    principalId: grafana.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringDataReader)
  }
}

resource scalerReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(metrics.id, scalerPrincipalId, monitoringDataReader)
  scope: metrics
  properties: {
    principalId: scalerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringDataReader)
  }
}

resource operatorSees 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(grafana.id, operatorPrincipalId, grafanaAdmin)
  scope: grafana
  properties: {
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grafanaAdmin)
  }
}

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${token}'
  location: 'Global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'attune'
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

output logsId string = logs.id
output metricsId string = metrics.id
output metricsQueryUrl string = metrics.properties.metrics.prometheusQueryEndpoint
output collectionEndpointId string = collectionEndpoint.id
output collectionRuleId string = collectionRule.id
output actionGroupId string = operators.id
