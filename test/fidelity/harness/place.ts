import type { Agent } from './agent.js';
import type { Transcript } from './transcript.js';

export type End = 'client' | 'server';

/** What a host of one run knows. */
export interface Place {
  end: End;
  agent: Agent;
  /** The router next to it. */
  middle: Agent;
  transcript: Transcript;
  family: 4 | 6;
  /** This end's own address, and the other's. */
  address: string;
  peer: string;
  /** The raw host beside the other end. */
  rawPeer: string;
  /** The server's port in this scenario. */
  port: number;
}

/** What a host without a kernel knows. */
export interface RawPlace {
  end: End;
  agent: Agent;
  transcript: Transcript;
  /** The raw host's own address, and the one that it talks to. */
  address: string;
  peer: string;
  /** The raw host on the other link. */
  rawPeer: string;
  port: number;
  /** Link-layer addresses: ours, and the next hop's. */
  mac: string;
  gateway: string;
}

/** How long a call may take before it counts as "still waiting". */
export const patienceMs = 5000;
