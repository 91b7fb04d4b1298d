import { quote, UsageError } from './errors.js';

/** What a rule does with the connections that it selects. The engine numbers them in this order. */
export const actions = ['relay', 'forward', 'handle', 'peek'] as const;
export type Action = (typeof actions)[number];

/** What a peek ends in. `release`: relay what had to be read, then forward at once. */
export const outcomes = ['forward', 'relay', 'handle', 'reset', 'release'] as const;
export type OutcomeName = (typeof outcomes)[number];
/** As a rule writes it. In the library, `handle` needs no module: the flow comes out of the iterator. */
export type Outcome = OutcomeName | `handle=${string}`;

const actionWords = 'relay, forward, peek or handle=MODULE';
const outcomeWords = 'forward, relay, reset, release or handle=MODULE';

/** `relay`, `forward`, `peek` or `handle=MODULE`, as the command line and the configuration write it. */
export function parseAction(text: string): { action: Action; module?: string } {
  if (text === 'relay' || text === 'forward' || text === 'peek') return { action: text };
  const module = moduleOf('action', text);

  if (module !== null) return { action: 'handle', module };
  throw unknownAction(text);
}

/** What stands behind `then` and `otherwise`, as the configuration writes it. */
export function parseOutcome(text: unknown): { action: OutcomeName; module: string | null } {
  const module = moduleOf('outcome', text);
  const action = module === null ? outcomes.find((name) => name === text) : 'handle';

  if (action) return { action, module };
  throw new UsageError(`found ${quote(text)}, expected ${outcomeWords}`);
}

export function checkAction(action: string): Action {
  const known = actions.find((name) => name === action);

  if (known) return known;
  throw unknownAction(action);
}

/** The module of `handle=MODULE`; null: it is something else. */
function moduleOf(what: string, text: unknown): string | null {
  if (text === 'handle' || text === 'handle=') {
    throw new UsageError(
      `found ${what} ${quote(text)}, which names no module`,
      'Write handle=MODULE, for example handle=./proxy.mjs.',
    );
  }
  return typeof text === 'string' && text.startsWith('handle=') ? text.slice('handle='.length) : null;
}

function unknownAction(action: unknown): UsageError {
  if (typeof action === 'string' && /^steer(=|$)/.test(action)) {
    return new UsageError(
      `found action ${quote(action)}, which is not available yet`,
      `Write ${actionWords}.`,
    );
  }
  return new UsageError(
    `found action ${quote(action)}, expected ${actionWords}`,
    typeof action === 'string' && outcomes.some((name) => name === action)
      ? `${action} can stand behind \`then\` and \`otherwise\` of a rule with action peek.`
      : `Write ${actionWords}.`,
  );
}
