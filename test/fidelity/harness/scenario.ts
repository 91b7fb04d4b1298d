import type { LabOptions } from '../../../src/lab/index.js';
import type { Host } from './host.js';
import type { Middle } from './middle.js';
import type { RawHost } from './raw.js';

/** The conditions of the path, as `labUp` takes them; none: two plain links. */
export type PathConditions = Omit<LabOptions, 'prefix'>;

export interface Ends {
  client: Host;
  server: Host;
  /** A host on the client's link, and one on the server's, that have no kernel: segments by hand. */
  rawClient: RawHost;
  rawServer: RawHost;
  /** What lies between them, in both labs: for settings that hold for every socket there. */
  middle: Middle;
  family: 4 | 6;
  /**
   * Says what must be true for the scenario to be about what it claims. It must hold with plain forwarding, or the scenario
   * itself is broken; with desplice it is compared like a system call.
   */
  check(what: string, truth: boolean): void;
}

export interface Scenario {
  /** Letters, digits and dashes; unique. */
  name: string;
  group: string;
  /** Numbers of the catalogue of faults. */
  faults: number[];
  /** What the standard says, with its section. */
  standard: string;
  families?: readonly (4 | 6)[];
  path?: PathConditions;
  /** What the rule says instead of relay: `handle`, by pass-through.mjs; or besides: `ecn: off`, or `unsupported: strip`. */
  rule?: 'handle' | 'ecnOff' | 'strip';
  /**
   * How the engine must count it: true: one flow is intercepted (a number: so many), else the one counter that goes up by
   * one: `ecn`, `unsupportedOption.mptcp`, `handshakes.refused`.
   */
  taken: boolean | number | string;
  /** Stricter than usual: when plain forwarding sends nothing twice, desplice must not either. */
  nothingTwice?: true;
  /** The ends put keys, signatures or cookies into options: their values differ from run to run, and are left out. */
  randomOptions?: true;
  /** Differences of differences.ts that are open to those who name them. */
  differences?: readonly string[];
  /** Something is known to be wrong with the product: the scenario must fail, and says why. */
  fault?: string | Partial<Record<4 | 6, string>>;
  /** The fault is a race: the scenario may pass. */
  race?: true;
  run(ends: Ends): Promise<void>;
}

export function scenario(definition: Scenario): Scenario {
  return definition;
}

/** What is known to be wrong with the product in this scenario. */
export function faultOf({ fault }: Scenario, family: 4 | 6): string | undefined {
  return typeof fault === 'string' ? fault : fault?.[family];
}
