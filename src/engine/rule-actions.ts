/**
 * The actions of the rules, by generation of the rules, in memory that main thread and workers share. A handshake names
 * the generation that selected it, so that a reload between its SYN and its first data changes nothing for it.
 */
import { type Action, actions as names, type RuleInput } from '../policy/rules.js';
import { MAX_RULES } from './layout.js';

/** Generations that are remembered. A handshake that has waited through more reloads is forwarded. */
export const GENERATIONS = 256;
/** A row: its generation, then one byte for each rule; 0: no such rule. */
const ROW = 2 + MAX_RULES;

export class RuleActions {
  readonly #bytes: Uint8Array;

  constructor(readonly shared = new SharedArrayBuffer(GENERATIONS * ROW)) {
    this.#bytes = new Uint8Array(shared);
  }

  /** To be written before the generation comes into force. */
  set(generation: number, actions: readonly Action[]): void {
    const at = (generation % GENERATIONS) * ROW;
    this.#bytes[at] = generation;
    this.#bytes[at + 1] = generation >> 8;
    this.#bytes.fill(0, at + 2, at + ROW);
    actions.slice(0, MAX_RULES).forEach((action, rule) => {
      this.#bytes[at + 2 + rule] = names.indexOf(action) + 1;
    });
  }

  /** `generation`: its lower 16 bits, as a handshake holds them. */
  get(generation: number, rule: number): Action {
    const at = (generation % GENERATIONS) * ROW;
    const there = (this.#bytes[at] as number) | ((this.#bytes[at + 1] as number) << 8);
    if (there !== generation) return 'forward';
    return names[(this.#bytes[at + 2 + rule] as number) - 1] ?? 'forward';
  }
}

/** The main thread's half: also the rules themselves, for the flows that it hands out. */
export class RuleHistory {
  readonly actions = new RuleActions();
  readonly #rows: { generation: number; rules: readonly RuleInput[] }[] = [];

  set(generation: number, rules: readonly RuleInput[]): void {
    this.#rows[generation % GENERATIONS] = { generation: generation & 0xffff, rules };
    this.actions.set(
      generation,
      rules.map((rule) => rule.action ?? 'relay'),
    );
  }

  /** The rule that selected a flow; null: too many reloads ago. */
  get(generation: number, rule: number): RuleInput | null {
    const row = this.#rows[generation % GENERATIONS];
    return row?.generation === generation ? (row.rules[rule] ?? null) : null;
  }
}
