import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { run } from './process.js';

const spinner = fileURLToPath(new URL('spinner.js', import.meta.url));
/** Node starts slowly at SCHED_IDLE on a busy core. */
const leadMilliseconds = 1000;

export interface Window {
  from: number;
  until: number;
}

/** Does it at that time. */
export async function at<T>(time: number, action: () => Promise<T>): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, time - Date.now()));
  return action();
}

/**
 * Runs `load` with one spinner a core and returns the chunks that all of them together got done in the window which
 * `load` is told. The spinners also keep the cores out of their sleep states, so that latencies do not hang on those.
 */
export async function withSpinners<T>(
  seconds: number,
  load: (window: Window) => Promise<T>,
): Promise<{ chunks: number; result: T }> {
  const from = Date.now() + leadMilliseconds;
  const until = from + seconds * 1000;
  const cores = Array.from({ length: availableParallelism() }, (_, core) => String(core));
  const counted = Promise.all(
    cores.map(async (core) => {
      const argv = ['chrt', '-i', '0', 'taskset', '-c', core, process.execPath, spinner];
      const text = await run([...argv, String(from), String(until)], { seconds: seconds + 20 });
      const { chunks, started } = JSON.parse(text) as { chunks: number; started: number };
      if (started > from) throw new Error(`the spinner of core ${core} started late; is the machine busy?`);
      return chunks;
    }),
  );
  const [chunks, result] = await Promise.all([counted, load({ from, until })]);
  return { chunks: chunks.reduce((sum, value) => sum + value, 0), result };
}
