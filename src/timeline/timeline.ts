/**
 * What one end of a connection saw, told so that two runs of the same exchange read alike: numbers count from the start of
 * the connection, data that goes one way in one piece is one event however it was cut, and acknowledgements without
 * data stand apart, since their timing means nothing.
 */
import { tcpFlags } from '../wire/tcp.js';
import { type Connection, type ConnectionPacket, type Direction, relative } from './connection.js';
import type { IcmpError, Packet, Segment } from './packet.js';
import { isNew, mssOf, newSender, type Sender, timestampNotes } from './sender.js';

export type EventKind = 'syn' | 'data' | 'again' | 'urgent' | 'fin' | 'rst' | 'icmp' | 'ack' | 'probe';

export interface TimelineEvent {
  /** Microseconds since the first packet of the connection. */
  time: number;
  direction: Direction;
  kind: EventKind;
  /** Relative to the sender's initial sequence number: the SYN is 0, the first byte 1. */
  seq: number;
  /** Behind the last byte. */
  end: number;
  /** Relative; null without the ACK flag. */
  ack: number | null;
  /** Flags as words, of segments that open or end. */
  flags: string;
  /** What the IP header and the options of a segment in mid-flow say: `ttl 63 DF TS`. */
  header: string;
  /** Options of a SYN, what an ICMP error says. */
  detail: string;
  /** IPv6: the flow label by a name of its own, empty for 0. */
  label: string;
  window: number;
  /** What no well-behaved end or middle does. */
  notes: string[];
  packets: number;
}

export interface Timeline {
  connection: Connection;
  events: TimelineEvent[];
  /** Flow labels that were seen in each direction. A kernel changes its own after a loss, so that they cut no run of data. */
  labels: Record<Direction, Set<string>>;
}

/** Flow labels are random: they are named in the order of their first appearance. One object for all captures of a run, so that
 *  a label that was changed on its way has another name. */
export class LabelNames {
  readonly #names = new Map<number, string>();

  of(label: number): string {
    if (label === 0) return '';
    let name = this.#names.get(label);
    if (name === undefined) {
      name = `label ${String.fromCharCode(65 + (this.#names.size % 26))}`;
      this.#names.set(label, name);
    }
    return name;
  }
}

export const ackOfNothing = 'acknowledges what was not sent';

export interface TimelineOptions {
  /** How much later than what was sent behind it a segment may arrive, in ms: on a path that changes the order of packets. */
  disorderMs?: number;
}

export function timelineOf(
  connection: Connection,
  labels = new LabelNames(),
  { disorderMs = 0 }: TimelineOptions = {},
): Timeline {
  const start = connection.packets[0]?.packet.time ?? 0;
  const events: TimelineEvent[] = [];
  const seen = { '>': new Set<string>(), '<': new Set<string>() };
  const senders = { '>': newSender(disorderMs), '<': newSender(disorderMs) };

  for (const item of connection.packets) {
    const { packet, content, direction } = item;
    if (content.kind === 'icmp') {
      const quotedSender = senders[direction === '>' ? '<' : '>'];
      add(events, icmpEvent(item, content, quotedSender, packet.time - start));
    } else {
      const me = senders[direction];
      const other = senders[direction === '>' ? '<' : '>'];
      seen[direction].add(labels.of(packet.flowLabel));
      me.isn ??= content.flags & tcpFlags.syn ? content.seq : content.seq - 1;
      for (const event of segmentEvents(packet, content, direction, me, other, labels)) {
        add(events, { ...event, time: packet.time - start });
      }
    }
  }
  return { connection, events, labels: seen };
}

function segmentEvents(
  packet: Packet,
  segment: Segment,
  direction: Direction,
  me: Sender,
  other: Sender,
  labels: LabelNames,
): TimelineEvent[] {
  const { flags, payloadLength } = segment;
  const isn = me.isn ?? segment.seq;
  const syn = (flags & tcpFlags.syn) !== 0;
  const seq = relative(segment.seq, isn);
  const firstByte = syn ? seq + 1 : seq;
  const behind = firstByte + payloadLength;
  const ack = flags & tcpFlags.ack && other.isn !== null ? relative(segment.ack, other.isn) : null;
  const base = {
    time: 0,
    direction,
    ack: flags & tcpFlags.ack ? (ack ?? segment.ack) : null,
    flags: flagWords(flags),
    header: headerText(packet, segment),
    label: labels.of(packet.flowLabel),
    detail: '',
    window: segment.window,
    packets: 1,
  };
  const notes = [
    ...timestampNotes(packet, segment, behind > me.next, me, other),
    ...(ack !== null && !(flags & tcpFlags.rst) && ack > other.next
      ? ['acknowledges what was not sent']
      : []),
    ...((packet.gsoSize || payloadLength) + segment.dataOffset - 20 > mssOf(other, packet) && !syn
      ? ['longer than the MSS of the receiver']
      : []),
  ];
  const events: TimelineEvent[] = [];

  if (syn) {
    me.mss = segment.options.mss;
    me.timestamps = segment.options.timestamps !== null;
    const window = `win ${segment.window}`;
    const detail = `${window} <${segment.optionTexts.join(',')}>`;
    // A SYN that says the same once more was sent, or arrived, twice.
    const says = `${seq} ${detail}`;
    const kind = me.syn === says ? 'again' : 'syn';
    events.push({ ...base, kind, seq, end: seq + 1, detail, notes });
    me.syn = says;
    me.next = Math.max(me.next, seq + 1);
  }
  if (payloadLength > 0) {
    const kind = isNew(me, firstByte, behind) ? 'data' : 'again';
    events.push({ ...base, kind, seq: firstByte, end: behind, notes: syn ? [] : notes });
  }
  if (flags & tcpFlags.urg) {
    // RFC 6093 section 3.1: the pointer names the byte behind the urgent one; Linux has it so.
    const at = seq + segment.urgentPointer;
    if (at !== me.urgentAt) events.push({ ...base, kind: 'urgent', seq: at, end: at, notes: [] });
    me.urgentAt = at;
  }
  if (flags & tcpFlags.rst) events.push({ ...base, kind: 'rst', seq, end: behind, notes });
  else if (flags & tcpFlags.fin) {
    const kind = behind < me.next ? 'again' : 'fin';
    events.push({ ...base, kind, seq: behind, end: behind + 1, notes });
    me.next = Math.max(me.next, behind + 1);
  } else if (!syn && payloadLength === 0) {
    events.push({ ...base, kind: seq < me.next ? 'probe' : 'ack', seq, end: seq, notes });
  }
  return events;
}

function icmpEvent(
  { direction, packet }: ConnectionPacket,
  { type, code, mtu, quoted }: IcmpError,
  sender: Sender,
  time: number,
): TimelineEvent {
  const seq = relative(quoted.seq, sender.isn ?? quoted.seq);
  return {
    time,
    direction,
    kind: 'icmp',
    seq,
    end: seq,
    ack: null,
    flags: '',
    header: `from ${packet.source} ttl ${packet.ttl}`,
    label: '',
    detail: `type ${type} code ${code}${mtu ? ` mtu ${mtu}` : ''}`,
    window: 0,
    notes: [],
    packets: 1,
  };
}

function headerText(packet: Packet, segment: Segment): string {
  const { dscp, ecn, ttl, version } = packet;
  const syn = segment.flags & tcpFlags.syn;
  const unusual = segment.optionTexts.filter((text) => !/^(nop|TS|eol|sack )/.test(text));
  return [
    `ttl ${ttl}`,
    ...(dscp ? [`dscp ${dscp}`] : []),
    ...(ecn ? [`ecn ${ecn}`] : []),
    ...(version === 4 ? [packet.dontFragment ? 'DF' : 'no DF'] : []),
    ...(syn ? [] : segment.options.timestamps ? ['TS'] : []),
    ...(syn ? [] : unusual),
  ].join(' ');
}

const flagNames = Object.entries(tcpFlags).map(([name, bit]) => [name.toUpperCase(), bit] as const);

function flagWords(flags: number): string {
  return flagNames
    .filter(([name, bit]) => flags & bit && name !== 'PSH' && name !== 'URG')
    .map(([name]) => name)
    .join(' ');
}

/** Appends, or lets the event grow into one that is there. */
function add(events: TimelineEvent[], event: TimelineEvent): void {
  for (let i = events.length - 1; i >= 0; i--) {
    const before = events[i] as TimelineEvent;
    if (before.direction !== event.direction) {
      // Data and acknowledgements of the other end do not cut a run.
      if (before.kind === 'ack' || (event.kind === 'ack' && before.kind === 'data')) continue;
      break;
    }
    if (event.kind === 'data' && before.kind === 'ack') continue;
    if (grows(before, event)) return;
    break;
  }
  events.push(event);
}

/** True when `event` has become part of `before`. */
export function grows(before: TimelineEvent, event: TimelineEvent): boolean {
  if (before.kind !== event.kind || before.header !== event.header) return false;
  switch (event.kind) {
    case 'data':
      if (event.seq > before.end || event.seq < before.seq) return false;
      before.notes = [...new Set([...before.notes, ...event.notes])];
      break;
    case 'ack':
    case 'probe':
    case 'again':
      if (before.notes.join() !== event.notes.join()) return false;
      break;
    case 'rst':
      // One reset for each segment that meets a closed port.
      if (before.flags !== event.flags || before.notes.join() !== event.notes.join()) return false;
      before.packets += event.packets;
      return true;
    default:
      return false;
  }
  before.end = Math.max(before.end, event.end);
  before.ack = event.ack;
  before.packets += event.packets;
  return true;
}
