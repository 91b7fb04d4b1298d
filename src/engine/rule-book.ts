/**
 * What a worker is to do with the connections of each rule, by generation of the rules. A handshake names the generation that
 * selected it, so that a reload between its SYN and its first data changes nothing for it.
 */
import type { Action } from '../policy/actions.js';
import type { CompiledPeek } from '../policy/clauses.js';
import type { Release } from '../policy/release.js';
import type { CompiledRule } from '../policy/rules.js';

/** One rule, without what the kernel program has decided already. Plain values, which a message can carry. */
export interface RuleWork {
  action: Action;
  peek: CompiledPeek | null;
  release: Release | null;
}

/** Generations that are remembered. A handshake that has waited through more reloads is forwarded. */
export const GENERATIONS = 256;

const forwarding: RuleWork = { action: 'forward', peek: null, release: null };

export function workOf(compiled: readonly CompiledRule[]): RuleWork[] {
  const work: RuleWork[] = [];
  for (const { rule, action, peek, release } of compiled) work[rule] = { action, peek, release };
  return work;
}

/** Rows by generation, of which a handshake holds the lower 16 bits. */
export class ByGeneration<Row> {
  readonly #rows: { generation: number; row: Row }[] = [];

  set(generation: number, row: Row): void {
    this.#rows[generation % GENERATIONS] = { generation: generation & 0xffff, row };
  }

  /** Undefined: not known, or too many reloads ago. */
  get(generation: number): Row | undefined {
    const found = this.#rows[generation % GENERATIONS];
    return found?.generation === generation ? found.row : undefined;
  }
}

export class RuleBook {
  readonly #rows = new ByGeneration<RuleWork[]>();

  /** `readMail`: takes in the messages that are there. That with a generation is sent before it comes into force. */
  constructor(readonly readMail: () => void) {}

  set(generation: number, work: RuleWork[]): void {
    this.#rows.set(generation, work);
  }

  /** `generation`: its lower 16 bits. */
  get(generation: number, rule: number): RuleWork {
    if (!this.#rows.get(generation)) this.readMail();
    return this.#rows.get(generation)?.[rule] ?? forwarding;
  }
}
