import { type Action, checkAction, type Outcome, parseOutcome } from './actions.js';
import { type Cidr, cidrContains, parseCidr, withoutMapped } from './cidr.js';
import { type ClauseInput, type CompiledPeek, compilePeek, mayRelay } from './clauses.js';
import { quote, UsageError } from './errors.js';
import { parsePortList } from './ports.js';
import { parseRelease, type Release, type ReleaseInput } from './release.js';

export { type Action, actions, parseAction } from './actions.js';

export interface RuleInput {
  /** Destination ports: 80, '443', '8000-8100'. */
  ports: (number | string)[];
  /** The client's address is in one of these; empty or absent: anyone. */
  from?: string[] | undefined;
  /** The server's address is in one of these; empty or absent: anyone. */
  to?: string[] | undefined;
  /** Default: relay. */
  action?: Action | undefined;
  /** `off`: the offer of ECN is taken out of the SYN, so that the ends agree on none. Default: as the ends agree. */
  ecn?: 'off' | undefined;
  /** `strip`: TCP options that two ordinary sockets cannot carry are taken out of the SYN, where the ends can do without
   *  them. Default: such a connection is forwarded. */
  unsupported?: 'strip' | undefined;
  /** With `peek`: the first clause that holds decides what happens. */
  when?: ClauseInput[] | undefined;
  /** With `peek`: what happens when no clause holds. Default: forward. */
  otherwise?: Outcome | undefined;
  /** When a relayed flow goes back to plain forwarding. Default: never. With `peek`: for clauses that relay. */
  release?: ReleaseInput | undefined;
  /** The module of `handle=MODULE`, when the action came from the command line or the configuration. */
  module?: string | undefined;
}

/** One row of the kernel program's table: a rule is as many rows as its ports, sources and destinations multiply to. */
export interface CompiledRule {
  /** Index of the rule that this row comes from. */
  rule: number;
  lo: number;
  hi: number;
  from: Cidr | null;
  to: Cidr | null;
  action: Action;
  ecnOff: boolean;
  strip: boolean;
  module: string | null;
  /** With `peek`: its clauses. Rows of one rule share it. */
  peek: CompiledPeek | null;
  /** With `relay`; null: relayed to its end. */
  release: Release | null;
}

/** The kernel program walks the table once for each handshake; this bounds that walk. */
export const maxCompiledRules = 256;

/** What each setting can be. Absent means the default, which has no word of its own. */
const settings = {
  ecn: { word: 'off', without: 'the ends agree on ECN as they like' },
  unsupported: { word: 'strip', without: 'connections with such an option are forwarded' },
} as const;
export type Setting = keyof typeof settings;

/** Rows in the order in which they are to be tried. */
export function compileRules(rules: readonly RuleInput[]): CompiledRule[] {
  const compiled: CompiledRule[] = [];

  rules.forEach((input, rule) => {
    const ports = parsePortList(input.ports);
    const from = compileSide(input.from, 'from');
    const to = compileSide(input.to, 'to');
    const action = checkAction(input.action ?? 'relay');
    const ecnOff = checkSetting('ecn', input.ecn);
    const strip = checkSetting('unsupported', input.unsupported);
    const peek = compilePeeking(input, action, rule);
    const release = input.release !== undefined && action === 'relay' ? parseRelease(input.release) : null;
    const rows = ports.length * from.length * to.length;

    if (action === 'forward' && (ecnOff || strip)) {
      const name = ecnOff ? 'ecn' : 'unsupported';

      throw new UsageError(
        `rule ${rule + 1} says action forward and ${name}: ${settings[name].word}, but what is forwarded is left as it is`,
        `Leave ${name} out, or let the rule relay or handle.`,
      );
    }

    if (compiled.length + rows > maxCompiledRules) {
      throw new UsageError(
        `rule ${rule + 1} makes ${rows} combinations of ports, sources and destinations after ${compiled.length} ` +
          `before it; the limit for all rules together is ${maxCompiledRules}`,
        'Write ranges instead of single ports and larger address ranges instead of many small ones.',
      );
    }
    for (const f of from) {
      for (const t of to) {
        for (const { lo, hi } of ports) {
          compiled.push({
            rule,
            lo,
            hi,
            from: f,
            to: t,
            action,
            ecnOff,
            strip,
            module: input.module ?? null,
            peek,
            release,
          });
        }
      }
    }
  });
  return compiled;
}

/** What the kernel program decides for a handshake: the first row that matches, or null (forward, unmatched).
 *  Addresses are 16 bytes, IPv4 mapped. */
export function matchRule(
  compiled: readonly CompiledRule[],
  client: Uint8Array,
  server: Uint8Array,
  serverPort: number,
): CompiledRule | null {
  return (
    compiled.find(
      ({ lo, hi, from, to }) =>
        lo <= serverPort &&
        serverPort <= hi &&
        (from === null || cidrContains(from, client)) &&
        (to === null || cidrContains(to, server)),
    ) ?? null
  );
}

function compileSide(list: readonly string[] | undefined, side: 'from' | 'to'): (Cidr | null)[] {
  if (list === undefined) return [null];
  if (!Array.isArray(list))
    throw new UsageError(`${side}: found ${quote(list)}, expected a list of addresses`);
  if (list.length === 0) return [null];
  return list.map(parseCidr).flatMap(withoutMapped);
}

/** Null: the rule does not peek, and says nothing that only goes with it. */
function compilePeeking(input: RuleInput, action: Action, rule: number): CompiledPeek | null {
  if (action === 'peek') {
    const peek = compilePeek(input);

    if (input.release === undefined || mayRelay(peek)) return peek;
    throw new UsageError(
      `rule ${rule + 1} says release, but none of its clauses says then: relay, nor does otherwise`,
      'Leave release out, or let a clause relay.',
    );
  }
  for (const name of ['when', 'otherwise'] as const) {
    if (input[name] === undefined) continue;
    throw new UsageError(
      `rule ${rule + 1} says action ${action} and ${name}, which goes with action peek`,
      `Leave ${name} out, or write action: peek.`,
    );
  }
  if (input.release !== undefined && action !== 'relay') {
    throw new UsageError(
      `rule ${rule + 1} says action ${action} and release, but only what is relayed can be released`,
      'Leave release out, or let the rule relay.',
    );
  }
  return null;
}

/** The modules that the rule names: of its action, of its clauses and of `otherwise`. */
export function modulesOf({ module, when = [], otherwise = 'forward' }: RuleInput): string[] {
  const outcomes = [...when.map(({ then }) => then), otherwise].filter((outcome) => outcome !== 'handle');
  const named = [module, ...outcomes.map((outcome) => parseOutcome(outcome).module)];

  return [...new Set(named)].filter((name) => typeof name === 'string');
}

/** Whether the setting is made. */
export function checkSetting(name: Setting, value: unknown): boolean {
  const { word, without } = settings[name];

  if (value === undefined) return false;
  if (value === word) return true;
  throw new UsageError(`found ${name} ${quote(value)}, expected ${word}`, `Leave it out, and ${without}.`);
}
