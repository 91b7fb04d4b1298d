/** Faults at the steps of a hand-over, for tests: DESPLICE_TEST_FAULT is `step:fail`, `step:kill` or `step:hang`. */

/** In their order. `old…` are steps of the engine that is replaced. */
export type Step =
  | 'asked'
  | 'prepared'
  | 'oldFreezing'
  | 'oldFrozen'
  | 'frozen'
  | 'adopting'
  | 'adopted'
  | 'attached'
  | 'taken'
  | 'oldReplaced'
  | 'layout';

const [faulty, how] = (process.env.DESPLICE_TEST_FAULT ?? '').split(':');

export const isFaulty = (step: Step): boolean => faulty === step;

export function faultPoint(step: Step): void {
  if (!isFaulty(step)) return;
  if (how === 'kill') process.kill(process.pid, 'SIGKILL');
  // For longer than the old engine has patience, as a process that was stopped (SIGSTOP).
  const hung = new Int32Array(new SharedArrayBuffer(4));
  if (how === 'hang' || how === 'kill') Atomics.wait(hung, 0, 0, 4000);
  else throw new Error(`a fault on purpose at the step "${step}"`);
}
