/** An event in a few words, as they stand at an arrow. */
import type { TimelineEvent } from './timeline.js';

export function labelOf(event: TimelineEvent, withHeader = false): string {
  const { ack, detail, end, flags, kind, notes, packets, seq, window } = event;
  const times = packets > 1 ? ` ×${packets}` : '';
  const said = {
    syn: `${flags.replace('SYN ACK', 'SYN-ACK')} ${optionsOf(detail)}`.trimEnd(),
    data: `data ${seq}:${end}${times}`,
    again: detail ? `${flags.replace('SYN ACK', 'SYN-ACK')} again` : `again ${seq}:${end}${times}`,
    urgent: `urgent up to ${seq}`,
    fin: 'FIN',
    rst: `RST${times}`,
    icmp: `ICMP ${detail}`,
    ack: `ack ${ack}${window === 0 ? ' win 0' : ''}${times}`,
    probe: `probe ${seq}${times}`,
  }[kind];
  const header = withHeader ? [event.header, event.label].join(' ') : unusual(event);
  return [said, header, ...notes.map((note) => `! ${note}`)]
    .filter((text) => text.trim() !== '')
    .join(' ')
    .trim();
}

/** Without what says nothing by itself: padding, and the window, which has no scale yet. */
function optionsOf(detail: string): string {
  const list = /<(.*)>/.exec(detail)?.[1] ?? '';
  return list
    .split(',')
    .filter((option) => option !== 'nop' && option !== '')
    .join(' ');
}

/** What of the header is worth a word where the case is about something else: each hop changes the TTL, and most segments have DF. */
function unusual({ header, kind }: TimelineEvent): string {
  if (kind === 'icmp') return /from \S+/.exec(header)?.[0] ?? '';
  return header
    .replace(/ttl \d+|(no )?\bDF\b|\bTS\b/g, '')
    .replace(/ {2,}/g, ' ')
    .trim();
}
