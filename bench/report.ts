import type { Goal, Metric, Row } from './row.js';

/** values[metric][subject] has one number a round; null where the subject failed in that round. */
export type Values = Record<string, Record<string, (number | null)[]>>;

export interface RowResult {
  row: Row;
  values: Values;
  /** Connections or answers that failed, by subject, in rounds that count all the same. */
  errors: Record<string, number>;
  failures: string[];
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

const numbers = (values: (number | null)[] | undefined): number[] =>
  (values ?? []).filter((value) => value !== null);

/** The values of a metric as they are reported: over plain forwarding of the same round where the metric says so. */
function series(result: RowResult, metric: Metric, subject: string): (number | null)[] {
  const own = result.values[metric.name]?.[subject] ?? [];
  if (!metric.overPlain) return own;
  const plain = result.values[metric.name]?.plain ?? [];
  return own.map((value, round) => {
    const base = plain[round] ?? null;
    return value === null || base === null ? null : value - base;
  });
}

export interface Verdict {
  goal: Goal;
  ratio: number | null;
  met: boolean | null;
}

/** The median of the rounds' own ratios: the subjects of one round had the same weather. */
function judge(result: RowResult, goal: Goal): Verdict {
  const metric = result.row.metrics.find(({ name }) => name === goal.metric);
  if (metric === undefined)
    throw new Error(`a goal names the metric ${goal.metric}, which ${result.row.name} lacks`);
  const own = series(result, metric, goal.subject);
  const base = goal.base === undefined ? null : series(result, metric, goal.base);
  const ratios = own.map((value, round) => {
    if (base === null) return value;
    const divisor = base[round] ?? null;
    return value === null || divisor === null ? null : value / divisor;
  });
  const known = numbers(ratios);
  if (known.length === 0) return { goal, ratio: null, met: null };
  const ratio = median(known);
  return { goal, ratio, met: goal.atLeast ? ratio >= goal.factor : ratio <= goal.factor };
}

export interface Summary {
  row: string;
  title: string;
  medians: {
    metric: string;
    unit: string;
    subject: string;
    median: number;
    lowest: number;
    highest: number;
  }[];
  verdicts: Verdict[];
  errors: Record<string, number>;
  failures: string[];
}

export function summarize(result: RowResult): Summary {
  const medians = result.row.metrics.flatMap((metric) =>
    result.row.subjects.flatMap((subject) => {
      const known = numbers(series(result, metric, subject));
      if (known.length === 0 || (metric.overPlain && subject === 'plain')) return [];
      const [lowest, highest] = [Math.min(...known), Math.max(...known)];
      return [{ metric: metric.name, unit: metric.unit, subject, median: median(known), lowest, highest }];
    }),
  );
  const verdicts = result.row.goals.map((goal) => judge(result, goal));
  return {
    row: result.row.name,
    title: result.row.title,
    medians,
    verdicts,
    errors: result.errors,
    failures: result.failures,
  };
}

/** One line a metric: medians with the spread of the rounds, then what was asked and what came out. */
export function table(results: RowResult[]): string {
  const lines: string[] = [];
  for (const result of results) {
    const summary = summarize(result);
    lines.push(`${summary.row}: ${summary.title}`);
    for (const metric of result.row.metrics) {
      lines.push(`  ${metric.unit}`);
      for (const each of summary.medians.filter(({ metric: name }) => name === metric.name)) {
        const [value, low, high] = [each.median, each.lowest, each.highest].map((n) =>
          n.toFixed(metric.digits),
        );
        lines.push(`    ${each.subject.padEnd(14)} ${String(value).padStart(9)}   (${low} to ${high})`);
      }
      for (const verdict of summary.verdicts.filter(({ goal }) => goal.metric === metric.name)) {
        lines.push(`    ${explain(verdict)}`);
      }
    }
    const errors = Object.entries(summary.errors).filter(([, count]) => count > 0);
    if (errors.length > 0) lines.push(`  errors: ${errors.map(([name, n]) => `${name} ${n}`).join(', ')}`);
    for (const failure of summary.failures) lines.push(`  failed: ${failure}`);
    lines.push('');
  }
  return lines.join('\n');
}

function explain({ goal, ratio, met }: Verdict): string {
  const sign = goal.atLeast ? '>=' : '<=';
  const what = goal.base === undefined ? goal.subject : `${goal.subject} / ${goal.base}`;
  const word = met === null ? 'not measured' : met ? 'met' : 'MISSED';
  return `${what} = ${ratio === null ? '?' : ratio.toFixed(2)}, goal ${sign} ${goal.factor}: ${word}`;
}
