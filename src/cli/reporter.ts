import type { LogEvent } from '../index.js';

export interface Reporter {
  log(event: LogEvent): void;
  ready(): void;
}

/** What is said to people though nothing is wrong. */
const told = new Set(['drained', 'nothingToReplace', 'adopted', 'tookOver', 'replaced']);

/** Where the events of `run` go: all of them as JSON lines on stdout, or what matters as messages on stderr. */
export function createReporter(json: boolean): Reporter {
  if (json) {
    const line = (value: object): void => {
      process.stdout.write(`${JSON.stringify(value)}\n`);
    };
    return {
      log: (event) => line({ time: new Date().toISOString(), ...event }),
      ready: () => line({ event: 'ready' }),
    };
  }
  return {
    log: ({ level, event, message }) => {
      if (level !== 'info') process.stderr.write(`desplice: ${level}: ${message}\n`);
      else if (told.has(event)) process.stderr.write(`desplice: ${message}\n`);
    },
    ready: () => {
      process.stdout.write('ready\n');
    },
  };
}
