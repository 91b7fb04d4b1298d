import { type Document, isAlias, isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import { parseCidr } from './cidr.js';
import { quote, UsageError } from './errors.js';
import { parsePortList } from './ports.js';
import { checkSetting, compileRules, parseAction, type RuleInput } from './rules.js';

export interface Config {
  /** Empty when the file names none: the command line has to. */
  interfaces: string[];
  rules: RuleInput[];
  limits?: { flows?: number | undefined } | undefined;
  control?: string | undefined;
}

type Path = readonly PropertyKey[];

/** How many mistakes one message tells. */
const shownMistakes = 10;
const maxFlows = 10_000_000;

const port = leaf((value) => parsePortList([value as number]));
const cidr = leaf((value) => parseCidr(value as string));
const action = leaf((value) => parseAction(value as string));
const ecn = leaf((value) => checkSetting('ecn', value));
const unsupported = leaf((value) => checkSetting('unsupported', value));

const schema = z.strictObject({
  interfaces: z.array(leaf(checkInterface)).min(1).optional(),
  rules: z
    .array(
      z.strictObject({
        ports: z.array(port).min(1),
        from: z.array(cidr).optional(),
        to: z.array(cidr).optional(),
        action: action.optional(),
        ecn: ecn.optional(),
        unsupported: unsupported.optional(),
      }),
    )
    .optional(),
  limits: z.strictObject({ flows: leaf(checkFlows).optional() }).optional(),
  control: leaf(checkControl).optional(),
});

/** Reads the configuration. Every mistake names `filename:line:column`, what was found there and what was expected. */
export function loadConfig(text: string, filename: string): Config {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);

    return `${filename}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const syntax = [...doc.errors, ...doc.warnings];

  if (syntax.length > 0) throw mistakes(syntax.map((error) => `${at(error.pos[0])}: ${error.message}`));
  const value = toValue(doc, at);
  const result = schema.safeParse(value);

  if (!result.success) {
    throw mistakes(
      result.error.issues.flatMap((issue) =>
        explain(issue, value).map(({ path, message }) => {
          const name = formatPath(path);

          return `${at(locate(doc, path, issue.code === 'unrecognized_keys'))}: ${name}${message}`;
        }),
      ),
    );
  }
  const config = toConfig(result.data);

  try {
    compileRules(config.rules);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${at(locate(doc, ['rules'], false))}: rules: ${error.message}`, error.hint);
  }
  return config;
}

function toValue(doc: Document, at: (offset: number) => string): unknown {
  try {
    return doc.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // Aliases that multiply, or that name no anchor.
    throw new UsageError(`${at(doc.contents?.range?.[0] ?? 0)}: ${(error as Error).message}`);
  }
}

function toConfig(data: z.infer<typeof schema>): Config {
  const rules = (data.rules ?? []).map((rule): RuleInput => {
    const list = (items: unknown[] | undefined) => items as string[] | undefined;

    return {
      ports: rule.ports as (number | string)[],
      ...(rule.from && { from: list(rule.from) }),
      ...(rule.to && { to: list(rule.to) }),
      ...parseAction((rule.action ?? 'relay') as string),
      ...(rule.ecn !== undefined && { ecn: 'off' as const }),
      ...(rule.unsupported !== undefined && { unsupported: 'strip' as const }),
    };
  });

  return {
    interfaces: (data.interfaces ?? []) as string[],
    rules,
    ...(data.limits && { limits: data.limits as { flows?: number } }),
    ...(data.control !== undefined && { control: data.control as string }),
  };
}

/** A scalar that `check` accepts or refuses with a UsageError, whose words then become the issue's. */
function leaf(check: (value: unknown) => unknown) {
  return z.unknown().superRefine((value, context) => {
    try {
      check(value);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      context.addIssue({
        code: 'custom',
        message: error.hint ? `${error.message}. ${error.hint}` : error.message,
      });
    }
  });
}

function checkInterface(value: unknown): void {
  // What the kernel takes as a name: dev_valid_name() in net/core/dev.c.
  if (typeof value === 'string' && /^[^\s/:\0]+$/.test(value) && value !== '.' && value !== '..') {
    if (Buffer.byteLength(value) <= 15) return;
  }
  throw new UsageError(`found ${quote(value)}, expected the name of a network interface, 1 to 15 bytes long`);
}

function checkFlows(value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= maxFlows) return;
  throw new UsageError(`found ${quote(value)}, expected a whole number from 1 to ${maxFlows}`);
}

function checkControl(value: unknown): void {
  // sun_path has 108 bytes, one of them for the closing zero: unix(7).
  if (typeof value === 'string' && value !== '' && !value.includes('\0') && Buffer.byteLength(value) <= 107)
    return;
  throw new UsageError(`found ${quote(value)}, expected the path of a socket, 1 to 107 bytes long`);
}

function explain(issue: z.core.$ZodIssue, root: unknown): { path: Path; message: string }[] {
  const path = issue.path;

  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `unknown key, expected one of ${knownKeys(path)}`,
    }));
  }
  if (issue.code === 'custom') return [{ path, message: issue.message }];
  const found = quote(path.reduce((value, key) => (value as Record<PropertyKey, unknown>)?.[key], root));

  if (issue.code === 'too_small') return [{ path, message: `found ${found}, expected at least one item` }];
  if (issue.code === 'invalid_type') {
    const expected = issue.expected === 'array' ? 'a list' : `a mapping with ${knownKeys(path)}`;

    return [{ path, message: `found ${found}, expected ${expected}` }];
  }
  return [{ path, message: `found ${found}: ${issue.message}` }];
}

function knownKeys(path: Path): string {
  if (path.length === 0) return 'interfaces, rules, limits, control';
  return path[0] === 'limits' ? 'flows' : 'ports, from, to, action, ecn, unsupported';
}

function formatPath(path: Path): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');

  return text === '' ? '' : `${text.slice(1)}: `;
}

/** Where in the text `path` is: its value, or with `wantKey` its key; what is absent is where its mapping is. */
function locate(doc: Document, path: Path, wantKey: boolean): number {
  let node = doc.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;

  for (const [depth, key] of path.entries()) {
    const target: unknown = isAlias(node) ? node.resolve(doc) : node;
    const last = depth === path.length - 1;

    if (isSeq<Node>(target)) {
      node = target.items[Number(key)] ?? null;
    } else if (isMap<Node, Node>(target)) {
      const pair = target.items.find((item) => String(item.key) === String(key));

      if (pair?.key.range && ((last && wantKey) || !pair.value?.range)) offset = pair.key.range[0];
      if (last && wantKey) return offset;
      node = pair?.value ?? null;
    } else {
      return offset;
    }
    if (!node?.range) return offset;
    offset = node.range[0];
  }
  return offset;
}

function mistakes(list: string[]): UsageError {
  const more = list.length - shownMistakes;
  const shown = list.slice(0, shownMistakes).join('\n');

  return new UsageError(more > 0 ? `${shown}\nand ${more} more mistakes` : shown);
}
