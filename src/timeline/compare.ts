/** Two timelines of the same exchange, compared: a list of what differs, each by a name that a list of exceptions can use. */
import type { Direction } from './connection.js';
import { grows, type Timeline, type TimelineEvent } from './timeline.js';

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
  again: [],
  urgent: [],
  fin: ['ack', 'header', 'notes'],
  rst: ['flags', 'seq', 'ack', 'header', 'notes'],
  icmp: ['header', 'detail'],
  probe: ['header', 'notes'],
};

export function compareTimelines(left: Timeline, right: Timeline): Difference[] {
  return (['>', '<'] as const).flatMap((direction) => [
    ...compareEvents(told(left, direction), told(right, direction), direction),
    ...compareAcknowledgements(left, right, direction),
  ]);
}

/** What one direction says, without bare acknowledgements; the other direction no longer cuts runs of data. */
function told(timeline: Timeline, direction: Direction): TimelineEvent[] {
  const events: TimelineEvent[] = [];
  for (const event of timeline.events) {
    if (event.direction !== direction || event.kind === 'ack') continue;
    const last = events.at(-1);
    const copy = { ...event };
    if (last && grows(last, copy)) continue;
    events.push(copy);
  }
  return events;
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
function keyOf({ kind, seq }: TimelineEvent): string {
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

/**
 * Bare acknowledgements: how many and when is nobody's business. What they look like is: a header on the right that no
 * segment of that direction has on the left. And in the end the same must be acknowledged, if the connection ended in peace.
 */
function compareAcknowledgements(left: Timeline, right: Timeline, direction: Direction): Difference[] {
  const differences: Difference[] = [];
  const usual = new Set(left.events.filter((event) => event.direction === direction).map(looks));
  for (const event of right.events) {
    if (event.direction !== direction || event.kind !== 'ack' || usual.has(looks(event))) continue;
    usual.add(looks(event));
    differences.push({
      name: 'ack.header',
      direction,
      left: 'no segment like it',
      right: looks(event),
      rightEvent: event,
    });
  }
  if ([left, right].some((timeline) => timeline.events.some(({ kind }) => kind === 'rst')))
    return differences;
  const [x, y] = [lastAck(left, direction), lastAck(right, direction)];
  if (x !== y) differences.push({ name: 'ack.last', direction, left: String(x), right: String(y) });
  return differences;
}

function looks({ header, notes }: TimelineEvent): string {
  return [header, ...notes].join(', ');
}

function lastAck({ events }: Timeline, direction: Direction): number {
  return Math.max(-1, ...events.filter((e) => e.direction === direction).map(({ ack }) => ack ?? -1));
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') || 'nothing of note' : String(value);
}

function summary(event: TimelineEvent): string {
  return `${event.kind} ${event.seq}${event.end > event.seq ? `:${event.end}` : ''}`;
}
