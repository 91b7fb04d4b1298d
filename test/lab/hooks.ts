/** Hooks that several files of tests share. */
import { afterEach, beforeAll, expect } from 'vitest';
import type { Rig } from './harness.js';
import { keepersOf } from './kept.js';
import { socketsOf, systemState } from './state.js';

/** BBR takes a pause for what the path can carry, and after a long one sends a packet every few seconds. */
export function useReno(...rigs: Rig[]): void {
  beforeAll(() => {
    for (const { lab } of rigs)
      for (const role of ['client', 'middle', 'server'] as const)
        lab.exec(role, ['sh', '-c', 'echo reno > /proc/sys/net/ipv4/tcp_congestion_control']);
  });
}

/** After each test the engine stops, if there is one, and leaves nothing. */
export function useNoTrace(...rigs: Rig[]): void {
  afterEach(async () => {
    for (const rig of rigs) {
      try {
        if (rig.engine?.running) expect(await rig.engine.stop()).toBe(0);
        expect(keepersOf(rig.lab), 'keepers').toEqual([]);
        expect(socketsOf(rig.lab), 'sockets in the middle').toBe('');
        expect(systemState(rig.lab)).toBe(rig.before);
      } finally {
        await rig.killEngines();
      }
    }
  });
}
