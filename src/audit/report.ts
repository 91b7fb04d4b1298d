/** The outcome of an audit, as JSON and as lines for people. */
import pc from 'picocolors';
import type { Verdict } from './case.js';
import type { Audit, Result } from './runner.js';

export const reportVersion = 1;

export function summaryOf(results: readonly Result[]): Record<string, number> {
  const count = (verdict: Verdict) => results.filter((each) => each.verdict === verdict).length;
  return {
    right: count('right'),
    wrong: count('wrong'),
    differs: count('differs'),
    notTested: count('not tested'),
  };
}

/** With `views`, what both ends captured of each case: `{ client, server }`, a list of connections each. */
export function jsonReport({ server, wrap, results }: Audit, { views = false } = {}): object {
  return {
    version: reportVersion,
    server,
    ...(wrap ? { wrap } : {}),
    summary: summaryOf(results),
    cases: results.map(({ case: { id, group, faults, sent }, verdict, reason, seen, ...result }) => ({
      id,
      group,
      faults,
      verdict,
      reason,
      sent,
      seen,
      ...(views ? { views: result.views } : {}),
    })),
  };
}

const colours: Record<Verdict, (text: string) => string> = {
  right: pc.green,
  wrong: pc.red,
  differs: pc.yellow,
  'not tested': pc.dim,
};

export function verdictLine({ case: { id }, verdict, reason }: Result): string {
  const why = verdict === 'right' ? '' : `  ${reason}`;
  return `${colours[verdict](verdict.padEnd(10))}  ${id}${why}`;
}

/** Everything that is not right, with what follows from it and what to change. */
export function textReport(audit: Audit): string {
  const lines: string[] = [];
  for (const group of [...new Set(audit.results.map((each) => each.case.group))]) {
    lines.push(pc.bold(group));
    for (const result of audit.results.filter((each) => each.case.group === group)) {
      lines.push(`  ${verdictLine(result)}`);
      if (result.verdict !== 'wrong') continue;
      const { right, standard, sent, consequence, mend } = result.case;
      lines.push(`      right        ${right} (${standard})`);
      lines.push(`      sent         ${sent}`);
      lines.push(`      seen         client: ${result.seen.client}`);
      lines.push(`                   server: ${result.seen.server}`);
      lines.push(`      consequence  ${consequence}`);
      lines.push(`      to change    ${mend}`);
    }
  }
  const { right, wrong, differs, notTested } = summaryOf(audit.results);
  lines.push('', `${right} right, ${wrong} wrong, ${differs} different, ${notTested} not tested`);
  return `${lines.join('\n')}\n`;
}
