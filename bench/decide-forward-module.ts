/** Runs inside the engine's worker: every flow is looked at, and none is kept. */
export default function decide(): 'forward' {
  return 'forward';
}
