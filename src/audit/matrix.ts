/** The same audit through one box after the other, in a lab of network namespaces on this machine. */
import { fileURLToPath } from 'node:url';
import { labDown, labUp } from '../lab/index.js';
import type { Views } from '../timeline/view.js';
import { type Box, boxes, leftOut } from './boxes/index.js';
import type { Family } from './calls.js';
import type { Verdict } from './case.js';
import { catalogue } from './catalogue.js';
import { AuditError } from './protocol.js';

const bin = fileURLToPath(new URL('../../bin/desplice', import.meta.url));
const ports = { first: 7410, last: 7609 };
const auditMs = 150_000;

export interface Outcome {
  verdict: Verdict;
  reason: string;
  /** What both ends captured, where the run was asked to keep it. */
  views?: Views;
}

export interface Column {
  box: string;
  what: string;
  version: string;
  family: Family;
  /** Why there are no verdicts, or ''. */
  left: string;
  /** It could have been run, and was not: `left` says what went wrong. */
  failed: boolean;
  /** By the name of the case. */
  verdicts: Record<string, Outcome>;
}

export interface MatrixOptions {
  prefix: string;
  only?: readonly string[];
  family: Family;
  /** Keep what both ends captured. */
  views?: boolean;
  log: (line: string) => void;
}

export async function matrix({ prefix, only, family, views, log }: MatrixOptions): Promise<Column[]> {
  const columns: Column[] = [];
  for (const box of boxes.filter(({ name }) => !only || only.includes(name))) {
    const missing = leftOut(box, family);
    log(`${box.name} over IPv${family}: ${missing || box.what}`);
    const column = { box: box.name, what: box.what, version: missing ? '' : box.version(), family };
    if (missing) columns.push({ ...column, left: missing, failed: false, verdicts: {} });
    else {
      try {
        const verdicts = await through(box, prefix, family, views);
        columns.push({ ...column, left: '', failed: false, verdicts });
      } catch (error) {
        // The other boxes have nothing to do with it.
        const why = (error as Error).message;
        log(`${box.name} over IPv${family}: ${why}`);
        columns.push({ ...column, left: why, failed: true, verdicts: {} });
      }
    }
  }
  return columns;
}

/** Each box gets a lab of its own: what one has taught the kernels is not known to the next. */
async function through(box: Box, prefix: string, family: Family, views = false): Promise<Column['verdicts']> {
  const lab = labUp('inline', { prefix });
  try {
    const serving = lab.spawn('server', [bin, 'audit', 'serve']);
    await new Promise<void>((resolve, reject) => {
      serving.stdout?.once('data', () => resolve());
      serving.once('exit', () => reject(new AuditError('SERVE', 'audit serve ended in the lab')));
    });
    const takeOut = await box.start(lab, ports);
    const { server4, server6 } = lab.addresses;
    const argv = [
      bin,
      'audit',
      'run',
      family === 4 ? server4 : server6,
      '--json',
      ...(views ? ['--timelines'] : []),
      ...(box.speaks ? ['--wrap', box.speaks] : []),
    ];
    const { stdout, stderr } = await lab.run('client', argv, { allowFailure: true, timeoutMs: auditMs });
    await takeOut();
    if (!stdout.startsWith('{'))
      throw new AuditError('RUN', `the audit through ${box.name}: ${stderr.trim()}`);
    const { cases } = JSON.parse(stdout) as { cases: (Outcome & { id: string })[] };
    return Object.fromEntries(
      cases.map(({ id, verdict, reason, views }) => [id, { verdict, reason, views }]),
    );
  } finally {
    await lab.stop();
    labDown(prefix);
  }
}

/** Cases down, boxes across. */
export function markdownMatrix(columns: readonly Column[], family: Family, date: string): string {
  const shown = columns.filter(({ left }) => left === '');
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const words: Record<Verdict, string> = {
    right: 'right',
    wrong: '**wrong**',
    differs: 'differs',
    'not tested': '–',
  };
  const counted = (verdict: Verdict) =>
    shown.map(({ verdicts }) =>
      String(Object.values(verdicts).filter((each) => each.verdict === verdict).length),
    );
  return [
    `IPv${family}, ${date}.`,
    '',
    ...columns.map(
      ({ box, what, version, left }) => `- ${box}: ${what}${left ? `; left out: ${left}` : ` (${version})`}`,
    ),
    '',
    row(['case', ...shown.map(({ box }) => box)]),
    row(['---', ...shown.map(() => '---')]),
    ...catalogue.map(({ id }) =>
      row([id, ...shown.map(({ verdicts }) => words[verdicts[id]?.verdict ?? 'not tested'])]),
    ),
    row(['right', ...counted('right')]),
    row(['wrong', ...counted('wrong')]),
    row(['differs', ...counted('differs')]),
    '',
  ].join('\n');
}
