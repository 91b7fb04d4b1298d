import { type Cidr, cidrContains, parseCidr, withoutMapped } from './cidr.js';
import { quote, UsageError } from './errors.js';
import { parsePortList } from './ports.js';

export const actions = ['relay', 'forward', 'handle'] as const;
export type Action = (typeof actions)[number];

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
}

/** The kernel program walks the table once for each handshake; this bounds that walk. */
export const maxCompiledRules = 256;

/** What each setting can be. Absent means the default, which has no word of its own. */
const settings = {
  ecn: { word: 'off', without: 'the ends agree on ECN as they like' },
  unsupported: { word: 'strip', without: 'connections with such an option are forwarded' },
} as const;
export type Setting = keyof typeof settings;

const actionHint = 'Write relay, forward or handle=MODULE.';

/** `relay`, `forward` or `handle=MODULE`, as the command line and the configuration write it. */
export function parseAction(text: string): { action: Action; module?: string } {
  if (text === 'relay' || text === 'forward') return { action: text };
  if (typeof text === 'string' && text.startsWith('handle=') && text.length > 'handle='.length) {
    return { action: 'handle', module: text.slice('handle='.length) };
  }
  if (text === 'handle' || text === 'handle=') {
    throw new UsageError(
      `found action ${quote(text)}, which names no module`,
      'Write handle=MODULE, for example handle=./proxy.mjs.',
    );
  }
  throw unknownAction(text);
}

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

function checkAction(action: string): Action {
  const known = actions.find((name) => name === action);

  if (known) return known;
  throw unknownAction(action);
}

/** Whether the setting is made. */
export function checkSetting(name: Setting, value: unknown): boolean {
  const { word, without } = settings[name];

  if (value === undefined) return false;
  if (value === word) return true;
  throw new UsageError(`found ${name} ${quote(value)}, expected ${word}`, `Leave it out, and ${without}.`);
}

function unknownAction(action: unknown): UsageError {
  if (typeof action === 'string' && /^(peek$|steer(=|$))/.test(action)) {
    return new UsageError(`found action ${quote(action)}, which is not available yet`, actionHint);
  }
  return new UsageError(
    `found action ${quote(action)}, expected relay, forward or handle=MODULE`,
    actionHint,
  );
}
