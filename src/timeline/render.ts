/** Timelines as text: one like a tcpdump with relative numbers, or two side by side. */
import type { Difference } from './compare.js';
import type { Timeline, TimelineEvent } from './timeline.js';

export function renderTimeline(timeline: Timeline): string[] {
  return timeline.events.map((event) => `${seconds(event.time)} ${describe(event)}`);
}

export function describe(event: TimelineEvent): string {
  const { ack, detail, direction, end, flags, kind, notes, packets, seq, window } = event;
  const header = [event.header, event.label].filter((text) => text !== '').join(' ');
  const ackText = ack === null ? '' : ` ack ${ack}`;
  const times = packets > 1 ? ` (${packets} packets)` : '';
  const said = {
    syn: `${flags}${ack === null ? '' : ackText} ${detail}`,
    data: `data ${seq}:${end}${ackText}${times}`,
    again: `data ${seq}:${end} again${times}`,
    urgent: `urgent up to ${seq}`,
    fin: `FIN ${seq}${ackText}`,
    rst: `${flags} ${seq}${ackText}${times}`,
    icmp: `ICMP ${detail} about ${seq}`,
    ack: `ack ${ack}${window === 0 ? ' win 0' : ''}${times}`,
    probe: `probe ${seq}${ackText}${times}`,
  }[kind];
  return [`${direction} ${said}  [${header}]`, ...notes.map((note) => `! ${note}`)].join(' ');
}

function seconds(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6).padStart(10);
}

/** Two columns; a line that takes part in a difference is marked with `*`. */
export function renderSideBySide(
  left: Timeline,
  right: Timeline,
  differences: readonly Difference[],
  titles: [string, string],
): string {
  const columns = [
    column(
      left,
      differences.map(({ leftEvent }) => leftEvent),
    ),
    column(
      right,
      differences.map(({ rightEvent }) => rightEvent),
    ),
  ] as const;
  const width = Math.min(90, Math.max(titles[0].length, ...columns[0].map((line) => line.length)));
  const rows = pairUp(left.events, right.events).map(([i, j]) => [
    i === null ? '' : columns[0][i],
    j === null ? '' : columns[1][j],
  ]);
  return [titles, ...rows].map(([a = '', b = '']) => `${a.padEnd(width)} | ${b}`.trimEnd()).join('\n');
}

function column(timeline: Timeline, marked: (TimelineEvent | undefined)[]): string[] {
  return renderTimeline(timeline).map((line, i) => {
    const event = timeline.events[i] as TimelineEvent;
    const hit = marked.some(
      (each) =>
        each &&
        each.kind === event.kind &&
        each.direction === event.direction &&
        (each.seq === event.seq || (event.seq >= each.seq && event.seq < each.end)),
    );
    return `${hit ? '*' : ' '}${line}`;
  });
}

/** Rows of the picture: the same kind of event stands on the same line where the order allows it. */
function pairUp(left: TimelineEvent[], right: TimelineEvent[]): [number | null, number | null][] {
  const same = (a?: TimelineEvent, b?: TimelineEvent) =>
    a !== undefined && b !== undefined && a.kind === b.kind && a.direction === b.direction;
  const rows: [number | null, number | null][] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (same(left[i], right[j])) rows.push([i++, j++]);
    else {
      const skipRight = right.slice(j, j + 6).findIndex((event) => same(left[i], event));
      const skipLeft = left.slice(i, i + 6).findIndex((event) => same(event, right[j]));
      if (i >= left.length || (skipRight >= 0 && (skipLeft < 0 || skipRight <= skipLeft)))
        rows.push([null, j++]);
      else if (j >= right.length || skipLeft >= 0) rows.push([i++, null]);
      else rows.push([i++, j++]);
    }
  }
  return rows;
}
