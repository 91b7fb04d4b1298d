import { type Document, isAlias, isMap, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import type { Outcome } from './actions.js';
import type { ClauseInput } from './clauses.js';
import { quote, UsageError } from './errors.js';
import type { ReleaseInput } from './release.js';
import { compileRules, parseAction, type RuleInput } from './rules.js';
import { knownKeys, type Path, schema } from './schema.js';

export interface Config {
  /** Empty when the file names none: the command line has to. */
  interfaces: string[];
  rules: RuleInput[];
  limits?: { flows?: number | undefined } | undefined;
  control?: string | undefined;
}

/** How many mistakes one message tells. */
const shownMistakes = 10;

const quoteAsterisk =
  'In YAML an asterisk begins an alias, of which there is none by this name. If it is a text, put it in quotes.';

/** Reads the configuration. Every mistake names `filename:line:column`, what was found there and what was expected. */
export function loadConfig(text: string, filename: string): Config {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);

    return `${filename}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const syntax = [...doc.errors, ...doc.warnings];

  if (syntax.length > 0) {
    throw mistakes(
      syntax.map(({ pos, code, message }) => {
        return `${at(pos[0])}: ${message}${code === 'BAD_ALIAS' ? `. ${quoteAsterisk}` : ''}`;
      }),
    );
  }
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
  visit(doc, {
    Alias(_, alias) {
      if (alias.resolve(doc)) return;
      throw new UsageError(`${at(alias.range?.[0] ?? 0)}: found *${alias.source}. ${quoteAsterisk}`);
    },
  });
  try {
    return doc.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // Aliases that multiply.
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
      ...(rule.when && { when: rule.when as ClauseInput[] }),
      ...(rule.otherwise !== undefined && { otherwise: rule.otherwise as Outcome }),
      ...(rule.release && { release: rule.release as ReleaseInput }),
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
