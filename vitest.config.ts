import { defineConfig } from 'vitest/config'

const conditions = ['@attune/source', 'module', 'node']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'deploy/**/*.test.ts',
      '{packages,tools,examples}/*/{src,conformance}/**/*.test.{ts,tsx}',
      'packages/edge/studio/*.test.ts',
      'scripts/**/*.test.ts',
      'bench/src/**/*.test.ts',
    ],
    testTimeout: 60_000,
    // A busy machine may take its time; what is polled for is what counts.
    expect: { poll: { timeout: 10_000 } },
    hookTimeout: 120_000,
    // Browsers and processes on a shared CI machine: a second try, which the report shows, before the run is red.
    retry: process.env['CI'] ? 1 : 0,
    pool: 'forks',
  },
})
