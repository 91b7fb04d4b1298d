/** What a row of the benchmark says: whom it measures, how, and what is asked of the numbers. */
import type { Bench } from './bench.js';
import type { Conditions } from './site.js';
import type { Active } from './subjects.js';

/** `connections`: how many the subject must have dealt with for the numbers to be about it. */
export interface Measured {
  values: Record<string, number>;
  connections: number;
  /** What was asked for in all, connections or requests, and how much of it failed. */
  attempts: number;
  errors: number;
}

export interface Metric {
  name: string;
  unit: string;
  digits: number;
  /** The metric minus that of plain forwarding in the same round. */
  overPlain?: boolean;
}

/** `metric` of `subject` is to be at least (or most) `factor` times that of `base`; without a base, `factor` itself. */
export interface Goal {
  metric: string;
  subject: string;
  atLeast: boolean;
  factor: number;
  base?: string;
}

export interface Row {
  name: string;
  title: string;
  subjects: string[];
  mostRounds?: number;
  /** Default: two plain links. */
  conditions?: Conditions;
  metrics: Metric[];
  goals: Goal[];
  /** Once a round, with nothing going on. */
  calibrate?(bench: Bench): Promise<number>;
  measure(bench: Bench, active: Active, calibration: number): Promise<Measured>;
}
