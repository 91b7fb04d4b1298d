/** Two timelines of the same exchange, compared: a list of what differs, each by a name that a list of exceptions can use. */
import type { Direction } from './connection.js';
import { ackOfNothing, type EventKind, grows, type Timeline, type TimelineEvent } from './timeline.js';

export interface Difference {
  /** `fin.ack`, `rst.missing`, `ack.header`, … */
  name: string;
  direction: Direction;
  left: string;
  right: string;
  /** The events themselves, for marking them in a picture. */
  leftEvent?: TimelineEvent | undefined;
  rightEvent?: TimelineEvent | undefined;
}

/** The fields of an event that are compared once two events are found to be the same one. */
const fields: Record<string, (keyof TimelineEvent)[]> = {
  syn: ['flags', 'ack', 'header', 'detail', 'notes'],
  data: ['end', 'header', 'notes'],
  urgent: [],
  fin: ['ack', 'header', 'notes'],
  rst: ['flags', 'seq', 'ack', 'header', 'notes'],
  icmp: [],
};

export function compareTimelines(left: Timeline, right: Timeline): Difference[] {
  return (['>', '<'] as const).flatMap((direction) => [
    ...compareEvents(told(left, direction), told(right, direction), direction),
    ...compareTiming(left, right, direction),
  ]);
}

/** Kinds whose number and timing mean nothing. */
const timing: readonly EventKind[] = ['ack', 'again', 'probe'];

/**
 * What one direction says, without repetitions and bare acknowledgements: first the runs of data, then the rest. Neither the other
 * direction nor a control segment cuts a run, nor does the order in which its pieces arrived; where a control segment stands is
 * in its sequence number.
 */
function told(timeline: Timeline, direction: Direction): TimelineEvent[] {
  const mine = timeline.events.filter(
    (event) => event.direction === direction && !timing.includes(event.kind),
  );
  const runs: TimelineEvent[] = [];
  const pieces = mine.filter(({ kind }) => kind === 'data').sort((a, b) => a.seq - b.seq);
  for (const piece of pieces) {
    const copy = { ...piece };
    const last = runs.at(-1);
    if (!last || !grows(last, copy)) runs.push(copy);
  }
  const others: TimelineEvent[] = [];
  for (const event of mine.filter(({ kind }) => kind !== 'data')) {
    // A router complains once for each segment that was on its way.
    if (event.kind === 'icmp' && others.some((each) => keyOf(each) === keyOf(event))) continue;
    others.push(event);
  }
  return [...runs, ...others];
}

function compareEvents(left: TimelineEvent[], right: TimelineEvent[], direction: Direction): Difference[] {
  const differences: Difference[] = [];
  for (const [a, b] of align(left, right)) {
    if (!a || !b) {
      const only = (a ?? b) as TimelineEvent;
      differences.push({
        name: `${only.kind}.${a ? 'missing' : 'extra'}`,
        direction,
        left: a ? summary(a) : 'nothing',
        right: b ? summary(b) : 'nothing',
        leftEvent: a,
        rightEvent: b,
      });
      continue;
    }
    for (const field of fields[a.kind] ?? []) {
      const [x, y] = [shown(a[field]), shown(b[field])];
      if (x === y) continue;
      const name = `${a.kind}.${field}`;
      differences.push({ name, direction, left: x, right: y, leftEvent: a, rightEvent: b });
    }
  }
  return differences;
}

/** What counts as the same event. Data is known by where it begins, so that a missing byte is not a missing run. */
function keyOf({ kind, seq, header, detail }: TimelineEvent): string {
  if (kind === 'icmp') return `${kind} ${detail} ${header}`;
  return kind === 'rst' ? kind : `${kind} ${seq}`;
}

/** The longest common subsequence, with what is left over on either side in its place. */
function align(left: TimelineEvent[], right: TimelineEvent[]): [TimelineEvent?, TimelineEvent?][] {
  const a = left.map(keyOf);
  const b = right.map(keyOf);
  const length = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  const at = (i: number, j: number) => length[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const best = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      (length[i] as number[])[j] = best;
    }
  }
  const pairs: [TimelineEvent?, TimelineEvent?][] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) pairs.push([left[i++], right[j++]]);
    else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1)))
      pairs.push([left[i++], undefined]);
    else pairs.push([undefined, right[j++]]);
  }
  return pairs;
}

/** A transfer longer than this is repeated in part now and then under plain forwarding too, when a queue was full. */
const shortTransfer = 100_000;

/**
 * Bare acknowledgements, probes and repetitions: how many and when is nobody's business. What they look like is: a header on the right
 * that no segment of that direction has on the left. In the end the same must be acknowledged, if the connection ended in
 * peace; and what is short enough to get through at once is not sent twice.
 */
function compareTiming(left: Timeline, right: Timeline, direction: Direction): Difference[] {
  const differences: Difference[] = [];
  const mine = (timeline: Timeline) => timeline.events.filter((event) => event.direction === direction);
  const usual = new Set(mine(left).map(looks));
  for (const event of mine(right)) {
    if (!timing.includes(event.kind) || usual.has(looks(event))) continue;
    usual.add(looks(event));
    const name = `${event.kind}.header`;
    differences.push({ name, direction, left: 'no segment like it', right: looks(event), rightEvent: event });
  }
  const again = mine(right).find(({ kind }) => kind === 'again');
  if (again && !mine(left).some(({ kind }) => kind === 'again') && bytesOf(mine(left)) < shortTransfer) {
    differences.push({
      name: 'again.extra',
      direction,
      left: 'nothing',
      right: summary(again),
      rightEvent: again,
    });
  }
  if ([left, right].some((timeline) => timeline.events.some(({ kind }) => kind === 'rst')))
    return differences;
  const [x, y] = [lastAck(left, direction), lastAck(right, direction)];
  if (x !== y) differences.push({ name: 'ack.last', direction, left: String(x), right: String(y) });
  return differences;
}

function bytesOf(events: readonly TimelineEvent[]): number {
  return events.reduce((sum, { kind, seq, end }) => sum + (kind === 'data' ? end - seq : 0), 0);
}

function looks({ header, notes }: TimelineEvent): string {
  return [header, ...notes].join(', ');
}

function lastAck({ events }: Timeline, direction: Direction): number {
  const good = events.filter((event) => event.direction === direction && !event.notes.includes(ackOfNothing));
  return good.reduce((last, { ack }) => Math.max(last, ack ?? -1), -1);
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') || 'nothing of note' : String(value);
}

function summary(event: TimelineEvent): string {
  if (event.kind === 'icmp') return `ICMP ${event.detail} ${event.header}`;
  return `${event.kind} ${event.seq}${event.end > event.seq ? `:${event.end}` : ''}`;
}
