/**
 * What both ends of connections captured as one drawing (SVG): the client on the left, the server on the right, the box between them
 * as a line. An arrow that crosses the line is one packet that both have seen; one that ends there was taken in by the box, and one that
 * begins there was made by it.
 */
import { type Crossing, type End, type Meeting, meetingsOf, type Seen } from './crossing.js';
import { labelOf } from './label.js';
import type { View, Views } from './view.js';

export interface PictureOptions {
  /** Read to those who cannot see it. */
  title: string;
  /** Show all of the headers, for what is about them. */
  headers?: boolean;
  /** Arrows, at most; the rest is counted. */
  most?: number;
  /** False for a page that has `pictureStyle` itself. */
  style?: boolean;
}

/** Text on a ground of its own: whoever shows the picture may be light or dark without telling it. */
export const pictureStyle = `
.tl{font:10px ui-monospace,Menlo,Consolas,monospace;fill:#222}.tl .g{fill:#fff}.tl .h{font-weight:700;font-size:11px}
.tl text{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}.tl .t{fill:#777}
.tl .e{stroke:#999}.tl .b{stroke:#999;stroke-width:3;stroke-dasharray:2 3}.tl .a{stroke:#444;fill:#444}
.tl .o{stroke:#0b62b8;fill:#0b62b8}.tl text.o{stroke:#fff}.tl .x{fill:#c2410c}.tl .r{fill:#b3261e;font-weight:700}
@media(prefers-color-scheme:dark){.tl{fill:#ddd}.tl .g{fill:#161616}.tl text,.tl text.o{stroke:#161616}.tl .t{fill:#999}
.tl .a{stroke:#bbb;fill:#bbb}.tl .o{stroke:#6cb2ff;fill:#6cb2ff}.tl text.o{fill:#6cb2ff}.tl .x{fill:#fb923c}.tl .r{fill:#ff8a80}}
`.replaceAll('\n', '');

const width = 800;
const at = { client: 66, box: 400, server: 734 } as const;
const row = 16;
/** Of one packet, from leaving to arriving, when nothing else happened meanwhile. */
const slope = 7;
/** For what was heard, where that is not what was said. */
const under = 11;
/** So many letters fit between an end and the box. */
const letters = 54;

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const text = (said: string): string => said.replace(/[&<>"]/g, (letter) => escapes[letter] as string);

export function picture(views: Views, options: PictureOptions): string {
  const { title, headers = false, most = 40, style = true } = options;
  const meetings = meetingsOf(views);
  const start = Math.min(...[...views.client, ...views.server].map((view) => view.start));
  const parts: string[] = [];
  let y = 0;
  let left = most;
  for (const meeting of meetings) {
    if (left <= 0) break;
    const shown = meeting.crossings.slice(0, left);
    left -= shown.length;
    const drawn = section(meeting, shown, { y: parts.length > 0 ? y + 10 : y, start, headers });
    parts.push(drawn.svg);
    y = drawn.bottom;
  }
  const dropped = meetings.reduce((sum, { crossings }) => sum + crossings.length, 0) - (most - left);
  if (dropped > 0) {
    parts.push(`<text class="t" x="${at.client + 6}" y="${y + 12}">and ${dropped} more</text>`);
    y += row;
  }
  if (meetings.length === 0) {
    parts.push(`<text x="${at.client + 6}" y="20">nothing was captured</text>`);
    y = 28;
  }
  const height = Math.round(y + 8);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="tl" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${text(title)}</title>`,
    ...(style ? [`<style>${pictureStyle}</style>`] : []),
    `<rect class="g" width="${width}" height="${height}"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

interface Frame {
  y: number;
  /** What the times count from, in microseconds. */
  start: number;
  headers: boolean;
}

function section(
  { client, server }: Meeting,
  crossings: readonly Crossing[],
  { y, start, headers }: Frame,
): { svg: string; bottom: number } {
  const top = y + 30;
  const { heights, bottom } = rows(crossings, top + 14, headers);
  const names = namesOf(client, server);
  const heading = (x: number, anchor: string, said: string, kind = 'h') =>
    `<text class="${kind}" x="${x}" y="${y + (kind === 'h' ? 13 : 25)}" text-anchor="${anchor}">${text(said)}</text>`;
  const line = (kind: string, x: number) => `<path class="${kind}" d="M${x} ${top}V${Math.round(bottom)}"/>`;
  const parts = [
    heading(at.client - 30, 'start', 'client'),
    heading(at.box, 'middle', 'box'),
    heading(at.server + 30, 'end', 'server'),
    heading(at.client - 30, 'start', names.client, 't'),
    heading(at.server + 30, 'end', names.server, 't'),
    line('e', at.client),
    line('b', at.box),
    line('e', at.server),
    ...crossings.map((crossing) => arrow(crossing, heights, headers)),
    ...times(crossings, heights, start),
  ];
  return { svg: parts.join('\n'), bottom };
}

/** Who talks to whom; the server's view only where it is another one. */
function namesOf(client: View | null, server: View | null): Record<End, string> {
  const host = (address: string) => (address.includes(':') ? `[${address}]` : address);
  const name = (view: View) =>
    `${host(view.client)}:${view.clientPort} → ${host(view.server)}:${view.serverPort}`;
  const mine = client ? name(client) : 'saw nothing of it';
  const theirs = server ? name(server) : 'saw nothing of it';
  return { client: mine, server: theirs === mine ? '' : theirs };
}

/** Where each end's sight of a packet stands: in the order of time, not at its scale; long silences take some room. */
function rows(
  crossings: readonly Crossing[],
  top: number,
  headers: boolean,
): { heights: Map<Seen, number>; bottom: number } {
  const sights = crossings
    .flatMap(({ sent, received }, crossing) => [
      ...(sent ? [{ seen: sent, time: sent.time, crossing }] : []),
      ...(received ? [{ seen: received, time: Math.max(received.time, sent?.time ?? 0), crossing }] : []),
    ])
    .sort((a, b) => a.time - b.time);
  const heights = new Map<Seen, number>();
  let y = top;
  sights.forEach(({ seen, time, crossing }, i) => {
    const before = sights[i - 1];
    const silence = before ? time - before.time : 0;
    if (before) y += before.crossing === crossing && silence < 20_000 ? slope : row;
    if (silence >= 20_000) y += Math.min(24, 6 * Math.log10(silence / 2000));
    heights.set(seen, Math.round(y));
    const each = crossings[crossing] as Crossing;
    if (each.received === seen && heardOf(each, headers)) y += under;
  });
  return { heights, bottom: y + 10 };
}

function arrow({ sent, received, remade }: Crossing, heights: Map<Seen, number>, headers: boolean): string {
  const seen = (sent ?? received) as Seen;
  const [from, to] = seen.event.direction === '>' ? [at.client, at.server] : [at.server, at.client];
  const back = from < to ? -7 : 7;
  const head = (x: number, y: number) => `M${x} ${y}l${back} -3v6z`;
  const y0 = heights.get(seen) ?? 0;
  if (sent && received) {
    const y1 = heights.get(received) ?? 0;
    const changed = isChanged({ sent, received }, headers);
    const middle = (y0 + y1) / 2;
    const parts = [
      remade
        ? `<path class="o" d="M${from} ${y0}L${at.box} ${middle}L${to} ${y1}${head(at.box, middle)}${head(to, y1)}"/>`
        : `<path class="a" d="M${from} ${y0}L${to} ${y1}${head(to, y1)}"/>`,
      words(sent, y0 - 3, labelOf(sent.event, headers), remade ? 'o' : ''),
    ];
    if (changed) parts.push(`<circle class="x" cx="${at.box}" cy="${middle}" r="4"/>`);
    const heard = heardOf({ sent, received }, headers);
    if (heard) parts.push(words(received, y1 + 9, heard, changed ? 'x' : 't'));
    return parts.join('\n');
  }
  const [begin, end] = sent ? [from, at.box] : [at.box, to];
  return [
    `<path class="o" d="M${begin} ${y0}H${end}${head(end, y0)}"/>`,
    words(seen, y0 - 3, labelOf(seen.event, headers), seen.event.kind === 'rst' ? '' : 'o'),
  ].join('\n');
}

function isChanged({ sent, received }: Pick<Crossing, 'sent' | 'received'>, headers: boolean): boolean {
  if (!sent || !received) return false;
  return plain(labelOf(sent.event, headers)) !== plain(labelOf(received.event, headers));
}

/** What stands at the receiving end too: something else than at the sending one. '' when it would say the same. */
function heardOf({ sent, received }: Pick<Crossing, 'sent' | 'received'>, headers: boolean): string {
  if (!sent || !received) return '';
  const heard = labelOf(received.event, headers);
  return isChanged({ sent, received }, headers) || (headers && heard !== labelOf(sent.event, headers))
    ? heard
    : '';
}

/** What every hop changes, and how a stream was cut, is no change. */
const plain = (label: string): string => label.replace(/ttl \d+/, '').replace(/ ×\d+/, '');

function words({ end, event }: Seen, y: number, said: string, kind = ''): string {
  const short = said.length > letters ? `${said.slice(0, letters - 1)}…` : said;
  const place = end === 'client' ? `x="${at.client + 8}"` : `x="${at.server - 8}" text-anchor="end"`;
  const look = event.kind === 'rst' ? 'r' : kind;
  return `<text${look ? ` class="${look}"` : ''} ${place} y="${y}">${text(short)}</text>`;
}

/** At the margins, where a time is another than the one above. */
function times(crossings: readonly Crossing[], heights: Map<Seen, number>, start: number): string[] {
  const parts: string[] = [];
  for (const end of ['client', 'server'] as const) {
    const seen = crossings
      .flatMap(({ sent, received }) => [sent, received])
      .filter((each) => each?.end === end)
      .sort((a, b) => (heights.get(a as Seen) ?? 0) - (heights.get(b as Seen) ?? 0)) as Seen[];
    let last = '';
    let free = 0;
    for (const each of seen) {
      const said = timeText(each.time - start);
      const y = heights.get(each) ?? 0;
      if (said === last || y < free) continue;
      const x = end === 'client' ? at.client - 5 : at.server + 5;
      parts.push(
        `<text class="t" x="${x}" y="${y + 3}" text-anchor="${end === 'client' ? 'end' : 'start'}">${said}</text>`,
      );
      last = said;
      free = y + 10;
    }
  }
  return parts;
}

function timeText(microseconds: number): string {
  const ms = microseconds / 1000;
  if (ms < 0.05) return '0 ms';
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
