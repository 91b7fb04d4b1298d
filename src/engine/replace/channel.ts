/** What two engines say to each other by the lock's socket while one takes the other's place: one JSON object a line. */
import type net from 'node:net';
import { peerOf } from '../../kernel/peer.js';
import type { RuleInput } from '../../policy/rules.js';
import { LAYOUT } from '../keep/table.js';
import { descriptorOf } from '../lock.js';

/** Of this file. Raise it when a message changes its meaning. */
const PROTOCOL = 1;
export const layout = `${PROTOCOL}.${LAYOUT}`;

/** Characters of a message: most are keys of flows that stay. */
const MOST = 1 << 26;

/** A table of flows and the process that has the descriptors in it. */
export interface Source {
  pid: number;
  /** Of the old engine. */
  worker: number;
  /** The table, in that process. */
  memfd: number;
}

export interface FrozenWorker extends Source {
  /** Slots of the table that may be filled. */
  used: number;
  /** The last generation that a flow got. */
  generation: number;
  /** Flows that stay where they are: their keys, in hexadecimal. */
  staying: string[];
  /** When it stopped: CLOCK_MONOTONIC in nanoseconds. */
  at: number;
  /** Its TUN device, in that process. */
  tun: number;
}

export type FromNew =
  | { type: 'hello'; layout: string; version: string }
  | { type: 'freeze' }
  /** It has begun; the old one may go. */
  | { type: 'done'; gapMs: number };

/** Descriptors are numbers in the process of the old engine's main thread. */
export interface Welcome {
  type: 'welcome';
  pid: number;
  version: string;
  interfaces: string[];
  tuns: string[];
  /** About as many as its flows may have. */
  descriptors: number;
  slots: number;
  lock: number;
  maps: Record<string, number>;
  /** The rules in force, under which connections were selected that say nothing yet. */
  generation: number;
  rules: readonly RuleInput[];
}

export interface Frozen {
  type: 'frozen';
  /** Of KeptTable.offer(). */
  offer: number;
  workers: FrozenWorker[];
}

export type FromOld = { type: 'refused'; why: string } | Welcome | Frozen;

export class Channel<In, Out> {
  readonly peer: { pid: number; uid: number };
  closed = false;

  constructor(
    readonly socket: net.Socket,
    onMessage: (message: In) => void,
    onClose: () => void,
  ) {
    this.peer = peerOf(descriptorOf(socket));
    socket.unref();
    // A process that is killed resets it; 'close' follows.
    socket.on('error', () => {});
    socket.once('close', () => {
      this.closed = true;
      onClose();
    });
    let rest = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      try {
        for (const line of lines) onMessage(JSON.parse(line) as In);
        if (rest.length > MOST) throw new Error('this is no message of ours');
      } catch {
        socket.destroy();
      }
    });
  }

  send(message: Out): void {
    this.socket.write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.socket.destroy();
  }
}
