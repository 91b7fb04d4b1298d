import type { Site } from './site.js';
import { awake, decideForward, desplice, desplicedElsewhere, kept, released } from './subject-desplice.js';
import { haproxy, haproxySplicing } from './subject-haproxy.js';

/** Something that may sit in the middle. At most one is active at a time. */
export interface Subject {
  name: string;
  activate(site: Site, directory: string): Promise<Active>;
}

export interface Treated {
  count: number;
  /** What else it can say, for the message when `count` is too low. */
  detail: string;
}

export interface Active {
  /** The process whose memory is its own, or null. */
  pid: number | null;
  /** Its control socket; only desplice has one. */
  control?: string;
  /** Connections that it has dealt with as it should, or null when there is no such number. Failing open looks fast. */
  treated(): Promise<Treated | null>;
  deactivate(): Promise<void>;
}

const plain: Subject = {
  name: 'plain',
  async activate(site) {
    await site.sysctl('middle', 'net.ipv4.tcp_early_demux', 1);
    return { pid: null, treated: async () => null, deactivate: async () => {} };
  },
};

export const subjects: Record<string, Subject> = {
  plain,
  haproxy,
  'haproxy-splice': haproxySplicing,
  desplice,
  awake,
  kept,
  released,
  decided: decideForward,
  unmatched: desplicedElsewhere,
};
export const subjectNames = Object.keys(subjects);
