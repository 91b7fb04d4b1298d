import { releasedBulk, releasedPingpong, releaseTime } from './released.js';
import type { Row } from './row.js';

/** `released`: desplice takes the flows and gives them back before anything is measured. */
export const releasedRows: Row[] = [
  {
    name: 'released-bulk',
    title: '4 downloads at a time, after their flows were released in the middle of them',
    subjects: ['plain', 'released'],
    metrics: [{ name: 'bytes', unit: 'MB/s', digits: 0 }],
    goals: [{ metric: 'bytes', subject: 'released', atLeast: true, factor: 0.97, base: 'plain' }],
    measure: releasedBulk,
  },
  {
    name: 'released-pingpong',
    title: 'one small request after the other on one kept connection, after it was released',
    subjects: ['plain', 'released'],
    metrics: [{ name: 'p50', unit: 'µs there and back, p50', digits: 1 }],
    goals: [{ metric: 'p50', subject: 'released', atLeast: false, factor: 1.05, base: 'plain' }],
    measure: releasedPingpong,
  },
  {
    name: 'release-time',
    title: 'how long the release of an idle flow takes, one after the other',
    subjects: ['released'],
    metrics: [
      { name: 'p50', unit: 'ms, p50', digits: 2 },
      { name: 'p99', unit: 'ms, p99', digits: 2 },
    ],
    goals: [
      { metric: 'p50', subject: 'released', atLeast: false, factor: 5 },
      { metric: 'p99', subject: 'released', atLeast: false, factor: 5 },
    ],
    measure: (bench, active) => releaseTime(bench, active, bench.quick ? 100 : 500),
  },
];
