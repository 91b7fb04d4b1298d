/** What the tests of `run --keep` share. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import type { Engine } from './engine.js';

/** Processes that hold descriptors in the middle's network namespace. */
export function keepersOf(lab: Lab): number[] {
  const pids = lab.exec('middle', ['ip', 'netns', 'pids', lab.namespace('middle')]).stdout.split('\n');
  return pids.filter((pid) => pid !== '' && nameOf(pid).startsWith('desplice-keep')).map(Number);
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8');
  } catch {
    return '';
  }
}

export async function kill(engine: Engine): Promise<void> {
  engine.child.kill('SIGKILL');
  expect(await engine.ended(20_000), 'its output is closed').toBe(-1);
}
