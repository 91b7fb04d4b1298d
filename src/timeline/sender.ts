/** What is known of one end of a connection from what it has sent so far. */
import { seqDistance } from '../wire/seq.js';
import { tcpFlags } from '../wire/tcp.js';
import type { Packet, Segment } from './packet.js';

export interface Sender {
  /** How much later than what was sent behind it a segment may arrive, in ms. */
  disorderMs: number;
  isn: number | null;
  /** Behind the last byte sent, relative. */
  next: number;
  /** What lies before `next` and has not been seen: reordered, or lost before this capture. */
  holes: [start: number, end: number][];
  /** What its SYN said. */
  syn: string;
  mss: number | null;
  timestamps: boolean;
  firstTimestamp: { value: number; time: number } | null;
  /** Of what was in order, and of all. */
  lastTimestamp: number;
  newestTimestamp: number;
  timestampsSent: Set<number>;
  urgentAt: number;
}

/** From so many bytes on, the order of arrival is not the order of sending. */
const bulk = 100_000;
/** A sender's timestamp clock may be read this much before or after the packet is captured, in ms. */
const clockTolerance = 100;

export function newSender(disorderMs: number): Sender {
  return {
    disorderMs,
    isn: null,
    next: 0,
    holes: [],
    syn: '',
    mss: null,
    timestamps: false,
    firstTimestamp: null,
    lastTimestamp: 0,
    newestTimestamp: 0,
    timestampsSent: new Set(),
    urgentAt: -1,
  };
}

/** Whether any byte of it is seen for the first time; it counts as seen from now on. */
export function isNew(sender: Sender, start: number, end: number): boolean {
  if (start > sender.next) sender.holes.push([sender.next, start]);
  let fresh = end > sender.next;
  sender.next = Math.max(sender.next, end);
  sender.holes = sender.holes.flatMap(([from, to]): [number, number][] => {
    const left = Math.max(from, start);
    const right = Math.min(to, end);
    if (left >= right) return [[from, to]];
    fresh = true;
    return [
      ...(from < left ? ([[from, left]] as [number, number][]) : []),
      ...(right < to ? ([[right, to]] as [number, number][]) : []),
    ];
  });
  return fresh;
}

/** RFC 9293 MUST-15. */
export function mssOf(receiver: Sender, { version }: Packet): number {
  return receiver.mss ?? (version === 4 ? 536 : 1220);
}

/** Timestamps that no well-behaved sender would send (RFC 7323 sections 4.1 and 5.4). */
export function timestampNotes(
  packet: Packet,
  { flags, options }: Segment,
  inOrder: boolean,
  me: Sender,
  other: Sender,
): string[] {
  const { timestamps } = options;
  if (!timestamps) return [];
  const { tsval, tsecr } = timestamps;
  const notes: string[] = [];

  if (!me.firstTimestamp) {
    me.firstTimestamp = { value: tsval, time: packet.time };
    me.lastTimestamp = tsval;
    me.newestTimestamp = tsval;
  }
  // A bare acknowledgement may overtake data or be overtaken, on another processor; in bulk so may data.
  const tolerance = inOrder && me.next < bulk ? 0 : clockTolerance;
  const back = seqDistance(me.lastTimestamp, tsval);
  const behindAll = seqDistance(me.newestTimestamp, tsval);
  if (back > tolerance + me.disorderMs || behindAll > clockTolerance + me.disorderMs) {
    notes.push('TSval goes back');
  }
  if (inOrder && back < 0) me.lastTimestamp = tsval;
  if (behindAll < 0) me.newestTimestamp = tsval;
  const ahead = seqDistance(tsval, me.firstTimestamp.value) - (packet.time - me.firstTimestamp.time) / 1000;
  if (ahead > clockTolerance) notes.push('TSval runs ahead of the clock');
  if (flags & tcpFlags.ack && !other.timestampsSent.has(tsecr)) {
    notes.push(tsecr === 0 ? 'TSecr is 0' : 'TSecr echoes what was not sent');
  }
  me.timestampsSent.add(tsval);
  return notes;
}
