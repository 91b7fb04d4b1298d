import type { FlowInfo, Stats } from '../flow/stats.js';
import { describeSeen } from '../peek/seen.js';

/** What each reason means, for people; the names are those of the JSON. */
const words: Record<string, string> = {
  seen: 'handshakes begun',
  completed: 'completed by both ends',
  refused: 'refused by the server (RST)',
  unanswered: 'never answered',
  intercepted: 'taken over',
  active: 'taken now',
  closed: 'closed by their ends',
  reset: 'ended by a reset',
  released: 'given back to forwarding',
  unmatched: 'no rule selects them',
  noData: 'ended before any data',
  asymmetric: 'only one direction passes here',
  unsupportedOption: 'a TCP option that cannot be carried on',
  dataInSyn: 'data in the SYN (TCP Fast Open)',
  simultaneousOpen: 'both ends sent a SYN',
  midstream: 'began before the engine did',
  tableFull: 'the flow table was full',
  engineStale: 'the engine was late or stopped',
  failed: 'the takeover failed',
  decided: 'decided to forward',
  endedInHold: 'ended while the first data was held',
  ecn: 'ECN could not be carried on',
  toServer: 'towards servers',
  toClient: 'towards clients',
  tls: 'TLS, by its first bytes',
  http1: 'HTTP/1',
  http2: 'HTTP/2 with prior knowledge',
  ssh: 'SSH',
  smtp: 'SMTP',
  unknown: 'none of these',
};

/** The counters as text: `flows.intercepted   12   taken over`. */
export function formatStats(stats: Stats): string {
  const rows = counters('', stats).map(([path, value]) => {
    const note = words[path.slice(path.lastIndexOf('.') + 1)] ?? '';
    return [path, String(value), path.startsWith('bytes.') ? `${note} (${formatBytes(value)})` : note];
  });
  return table(rows, [false, true, false]);
}

/** Every number with the way to it. */
function counters(prefix: string, group: object): [string, number][] {
  return Object.entries(group).flatMap(([name, value]: [string, unknown]): [string, number][] => {
    if (typeof value === 'number') return [[`${prefix}${name}`, value]];
    return typeof value === 'object' && value !== null ? counters(`${prefix}${name}.`, value) : [];
  });
}

export function formatFlows(flows: FlowInfo[], now: Date): string {
  if (flows.length === 0) return 'no flow is taken now\n';
  const looked = flows.some(({ seen }) => seen);
  const rows = [
    ['ID', 'CLIENT', 'SERVER', 'STATE', 'AGE', 'TO SERVER', 'TO CLIENT', ...(looked ? ['SEEN'] : [])],
  ];
  for (const flow of flows) {
    rows.push([
      flow.id,
      flow.client,
      flow.server,
      flow.state,
      formatAge(now.getTime() - Date.parse(flow.since)),
      formatBytes(flow.bytes.toServer),
      formatBytes(flow.bytes.toClient),
      ...(looked ? [flow.seen ? describeSeen(flow.seen) : ''] : []),
    ]);
  }
  return table(rows, [false, false, false, false, true, true, true]);
}

/** Columns padded to their widest cell; `right` says which are numbers. No colour: it goes into pipes and logs as well. */
export function table(rows: string[][], right: boolean[] = []): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        right[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** `999 B`, `1.5 kB`, `10.0 MB`: powers of 1000, as network rates are given. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  // 999.95 and more would print as 1000.0.
  while (value >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** `0.4 s`, `12 s`, `3 m 5 s`, `2 h 10 m`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} m`;
}
