import type { Exchange, Reply } from '../protocol/exchange.ts'

/** What an SDK reads first: regions with their addresses, the consistency level, what queries may use. */
export function readAccount(exchange: Exchange): Reply {
  const { account, origin } = exchange
  const { regions, writeRegion } = account.replication
  const port = (region: (typeof regions)[number]): number =>
    origin.scheme === 'https' ? region.tlsPort : region.port
  const location = (region: (typeof regions)[number]) => ({
    name: region.name,
    databaseAccountEndpoint: `${origin.scheme}://${origin.host}:${port(region)}/`,
  })
  return {
    status: 200,
    body: JSON.stringify({
      _self: '',
      // SDKs take an account named "localhost" for the official emulator and ignore its regions.
      id: 'cosmos-local',
      _rid: 'cosmos-local.local',
      media: '//media/',
      addresses: '//addresses/',
      _dbs: '//dbs/',
      writableLocations: [location(writeRegion)],
      // Azure lists the write region first.
      readableLocations: [writeRegion, ...regions.filter((region) => region !== writeRegion)].map(location),
      enableMultipleWriteLocations: false,
      continuousBackupEnabled: true,
      enableNRegionSynchronousCommit: false,
      enablePerPartitionFailoverBehavior: false,
      userReplicationPolicy: { asyncReplication: false, minReplicaSetSize: 1, maxReplicasetSize: 4 },
      userConsistencyPolicy: { defaultConsistencyLevel: account.options.consistency },
      systemReplicationPolicy: { minReplicaSetSize: 1, maxReplicasetSize: 4, asyncReplication: false },
      readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
      queryEngineConfiguration: JSON.stringify({
        allowNewKeywords: true,
        maxJoinsPerSqlQuery: 10,
        maxQueryRequestTimeoutFraction: 0.9,
        maxSqlQueryInputLength: 524288,
        maxUdfRefPerSqlQuery: 10,
        queryMaxInMemorySortDocumentCount: -500,
        spatialMaxGeometryPointCount: 256,
        sqlAllowNonFiniteNumbers: false,
        sqlAllowTop: true,
        enableSpatialIndexing: true,
        maxInExpressionItemsCount: 2147483647,
        sqlDisableQueryILOptimization: false,
        sqlAllowGroupByClause: true,
        sqlAllowSubQuery: true,
        sqlAllowScalarSubQuery: true,
        sqlAllowLike: true,
        sqlAllowAggregateFunctions: true,
      }),
    }),
  }
}
