import { errnoName } from '../../../src/kernel/errors.js';

/** One call of a scenario and what came of it, in the words in which the two runs are compared. */
export interface Entry {
  end: 'client' | 'server' | 'scenario';
  call: string;
  result: string;
}

/** What the agents answer when a call did not come back in time. */
const timeout = -9999;

/** 0 and counts as they are, errors by name. */
export function resultText(value: number): string {
  if (value === timeout) return 'still waiting';
  return value < 0 ? errnoName(-value) : String(value);
}

/** What a scenario did at both ends, in the order in which the calls were made. */
export class Transcript {
  readonly entries: Entry[] = [];

  begin(end: Entry['end'], call: string): (result: string) => void {
    const entry: Entry = { end, call, result: 'unfinished' };
    this.entries.push(entry);
    return (result) => {
      entry.result = result;
    };
  }

  note(end: Entry['end'], call: string, result: string): void {
    this.begin(end, call)(result);
  }
}

export function formatEntry({ end, call, result }: Entry): string {
  return `${end.padEnd(8)} ${call} = ${result}`;
}
