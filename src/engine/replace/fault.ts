/** Faults at the steps of a hand-over, for tests: DESPLICE_TEST_FAULT is `step:fail`, `step:kill` or `step:hang:milliseconds`. */
import { writeSync } from 'node:fs';

/** In their order. `old…` are steps of the engine that is replaced; at `layout` the new one claims another layout. */
export type Step =
  | 'layout'
  | 'asked'
  | 'prepared'
  | 'oldFreezing'
  | 'oldFrozen'
  | 'frozen'
  | 'adopting'
  | 'adopted'
  | 'attached'
  | 'taken'
  | 'oldReplaced';

const [faulty, how, milliseconds] = (process.env.DESPLICE_TEST_FAULT ?? '').split(':');

export const isFaulty = (step: Step): boolean => faulty === step;

export function faultPoint(step: Step): void {
  if (!isFaulty(step)) return;
  // Who tests waits for this.
  writeSync(2, `fault: ${step}\n`);
  if (how === 'fail') throw new Error(`a fault on purpose at the step "${step}"`);
  if (how === 'kill') process.kill(process.pid, 'SIGKILL');
  // As a process that was stopped (SIGSTOP).
  const still = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(still, 0, 0, how === 'hang' ? Number(milliseconds) : Infinity);
}
