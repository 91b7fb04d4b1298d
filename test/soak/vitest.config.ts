/** `make soak`: what takes too long for `make test`. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'soak',
    include: ['test/soak/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    maxWorkers: 1,
    // Each test says how long it may take.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
