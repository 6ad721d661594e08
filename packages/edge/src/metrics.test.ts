import { expect, test } from 'vitest'
import { Metrics } from './metrics.ts'

test('counters and gauges come out in the text format of Prometheus', () => {
  const metrics = new Metrics()
  metrics.count('attune_requests_total', { route: '/v1/rank', status: 200 })
  metrics.count('attune_requests_total', { route: '/v1/rank', status: 200 })
  metrics.count('attune_requests_total', { route: 'a"b\n', status: 404 })
  expect(metrics.text({ attune_epoch: 12 })).toBe(
    [
      '# HELP attune_epoch Epoch being served; 0 without one.',
      '# TYPE attune_epoch gauge',
      'attune_epoch 12',
      '# HELP attune_requests_total Requests by route and status.',
      '# TYPE attune_requests_total counter',
      'attune_requests_total{route="/v1/rank",status="200"} 2',
      String.raw`attune_requests_total{route="a\"b\n",status="404"} 1`,
      '',
    ].join('\n'),
  )
})

test('a histogram counts cumulatively: 0.4 ms, 0.5 ms, 3 ms and 9 s', () => {
  const metrics = new Metrics()
  for (const milliseconds of [0.4, 0.5, 3, 9_000]) metrics.time('attune_rank_seconds', milliseconds)
  const lines = metrics.text({}).split('\n')
  expect(lines).toContain('attune_rank_seconds_bucket{le="0.0005"} 2')
  expect(lines).toContain('attune_rank_seconds_bucket{le="0.0025"} 2')
  expect(lines).toContain('attune_rank_seconds_bucket{le="0.005"} 3')
  expect(lines).toContain('attune_rank_seconds_bucket{le="2.5"} 3')
  expect(lines).toContain('attune_rank_seconds_bucket{le="+Inf"} 4')
  expect(lines).toContain('attune_rank_seconds_count 4')
  expect(lines.find((line) => line.startsWith('attune_rank_seconds_sum'))).toMatch(/ 9\.0039/)
})

test('ten thousand label sets do not fill the memory', () => {
  const metrics = new Metrics()
  for (let path = 0; path < 10_000; path++) metrics.count('attune_requests_total', { route: path })
  expect(metrics.text({}).split('\n').length).toBeLessThan(1_010)
})
