param location string
param tags object
param token string
param cosmosAccountId string
param clusterId string
param clusterName string
param metricsId string
param actionGroupId string

// Every alert here has its section in docs/runbook.md, under the same name.

resource cosmosThrottled 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'cosmos-throttled-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'cosmos-throttled: more than 100 requests in 5 minutes were answered 429'
    severity: 2
    enabled: true
    scopes: [
      cosmosAccountId
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'throttled'
          metricNamespace: 'Microsoft.DocumentDB/databaseAccounts'
          metricName: 'TotalRequests'
          dimensions: [
            {
              name: 'StatusCode'
              operator: 'Include'
              values: [
                '429'
              ]
            }
          ]
          operator: 'GreaterThan'
          threshold: 100
          timeAggregation: 'Count'
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}

resource cosmosHot 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'cosmos-hot-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'cosmos-hot: the busiest partition used more than 90 % of its RU/s for 15 minutes'
    severity: 3
    enabled: true
    scopes: [
      cosmosAccountId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'hot'
          metricNamespace: 'Microsoft.DocumentDB/databaseAccounts'
          metricName: 'NormalizedRUConsumption'
          operator: 'GreaterThan'
          threshold: 90
          timeAggregation: 'Average'
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}

resource cosmosUnavailable 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'cosmos-unavailable-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'cosmos-unavailable: less than 99.9 % of an hour\'s requests were served'
    severity: 1
    enabled: true
    scopes: [
      cosmosAccountId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'unavailable'
          metricNamespace: 'Microsoft.DocumentDB/databaseAccounts'
          metricName: 'ServiceAvailability'
          operator: 'LessThan'
          threshold: json('99.9')
          timeAggregation: 'Average'
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}

resource workloads 'Microsoft.AlertsManagement/prometheusRuleGroups@2023-03-01' = {
  name: 'attune-workloads-${token}'
  location: location
  tags: tags
  properties: {
    description: 'What the cluster itself reports about edge and bridge'
    enabled: true
    clusterName: clusterName
    scopes: [
      metricsId
      clusterId
    ]
    interval: 'PT1M'
    rules: [
      {
        alert: 'edge-not-ready'
        expression: 'sum(kube_statefulset_status_replicas_ready{namespace="attune",statefulset="attune-edge"}) < 0.5 * sum(kube_statefulset_replicas{namespace="attune",statefulset="attune-edge"})'
        for: 'PT5M'
        severity: 1
        enabled: true
        labels: {
          workload: 'edge'
        }
        annotations: {
          summary: 'Fewer than half of the edge pods are ready'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'bridge-down'
        expression: 'sum(kube_statefulset_status_replicas_ready{namespace="attune",statefulset="attune-bridge"}) < 1'
        for: 'PT5M'
        severity: 2
        enabled: true
        labels: {
          workload: 'bridge'
        }
        annotations: {
          summary: 'No bridge is ready: clicks are stored, models stand still'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'feed-failing'
        expression: 'increase(attune_feed_errors_total[10m]) > 20'
        for: 'PT5M'
        severity: 2
        enabled: true
        labels: {
          workload: 'bridge'
        }
        annotations: {
          summary: 'The bridge cannot read the change feed: models stand still'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'edges-behind'
        expression: 'sum(attune_edge_state{state="current"}) < sum(kube_statefulset_status_replicas_ready{namespace="attune",statefulset="attune-edge"})'
        for: 'PT10M'
        severity: 2
        enabled: true
        labels: {
          workload: 'bridge'
        }
        annotations: {
          summary: 'Some ready edge pods do not follow the model'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'events-piling-up'
        expression: 'attune_events_waiting > 50000'
        for: 'PT5M'
        severity: 2
        enabled: true
        labels: {
          workload: 'bridge'
        }
        annotations: {
          summary: 'The bridge reads faster than it can learn: freshness suffers'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'lists-stale'
        expression: 'sum(rate(attune_rank_stale_total{namespace="attune"}[10m])) > 0.01 * sum(rate(attune_requests_total{namespace="attune",route="/v1/rank",status="200"}[10m]))'
        for: 'PT10M'
        severity: 3
        enabled: true
        labels: {
          workload: 'edge'
        }
        annotations: {
          summary: 'More than 1 % of lists may miss the newest click: Cosmos does not honour session tokens in time'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'models-stale'
        expression: 'max(attune_freshness_lag_seconds{namespace="attune"}) > 60'
        for: 'PT5M'
        severity: 2
        enabled: true
        labels: {
          workload: 'edge'
        }
        annotations: {
          summary: 'Clicks stored a minute ago are not in the model that an edge serves'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'pod-restarting'
        expression: 'sum by (pod) (increase(kube_pod_container_status_restarts_total{namespace="attune"}[15m])) > 3'
        for: 'PT1M'
        severity: 2
        enabled: true
        labels: {
          workload: 'any'
        }
        annotations: {
          summary: 'A pod restarted more than three times in 15 minutes'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'edge-at-its-limit'
        expression: 'max(kube_horizontalpodautoscaler_status_current_replicas{namespace="attune",horizontalpodautoscaler=~".*attune-edge"}) >= max(kube_horizontalpodautoscaler_spec_max_replicas{namespace="attune",horizontalpodautoscaler=~".*attune-edge"})'
        for: 'PT15M'
        severity: 3
        enabled: true
        labels: {
          workload: 'edge'
        }
        annotations: {
          summary: 'The edge has run on its largest number of pods for 15 minutes'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
      {
        alert: 'state-disk-filling'
        expression: 'min by (persistentvolumeclaim) (kubelet_volume_stats_available_bytes{namespace="attune"} / kubelet_volume_stats_capacity_bytes{namespace="attune"}) < 0.15'
        for: 'PT10M'
        severity: 2
        enabled: true
        labels: {
          workload: 'any'
        }
        annotations: {
          summary: 'A volume has less than 15 % left'
        }
        actions: [
          {
            actionGroupId: actionGroupId
          }
        ]
      }
    ]
  }
}
