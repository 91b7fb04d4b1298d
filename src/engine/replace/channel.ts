/** What two engines say to each other by the lock's socket while one takes the other's place: one JSON object a line. */
import type net from 'node:net';
import { createInterface } from 'node:readline';
import { peerOf } from '../../kernel/peer.js';
import type { RuleInput } from '../../policy/rules.js';
import { LAYOUT } from '../keep/table.js';
import { descriptorOf } from '../lock.js';

/** Of this file. Raise it when a message changes its meaning. */
export const PROTOCOL = 1;
export const layout = `${PROTOCOL}.${LAYOUT}`;

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
  workers: number;
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
    socket.on('error', () => {});
    socket.once('close', () => {
      this.closed = true;
      onClose();
    });
    createInterface({ input: socket }).on('line', (line) => {
      try {
        onMessage(JSON.parse(line) as In);
      } catch (error) {
        socket.destroy(error as Error);
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
