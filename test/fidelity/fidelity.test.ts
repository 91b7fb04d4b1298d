/** Runs every scenario of scenarios/ through plain forwarding and through desplice. See README.md. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { explain, judge } from './harness/oracle.js';
import { Path } from './harness/path.js';
import { type Row, writeReport } from './harness/report.js';
import { faultOf, type PathConditions, type Scenario } from './harness/scenario.js';

const folder = fileURLToPath(new URL('scenarios', import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);
const scenarios: Scenario[] = [];
// A file exports one scenario, or several that differ in a value.
for (const file of files.sort()) scenarios.push(...[(await import(`${folder}/${file}`)).default].flat());
/** Scenarios of one path come together, so that a pair of labs is made once for each. */
const key = ({ path }: Scenario) => JSON.stringify(path ?? {});
scenarios.sort((a, b) => key(a).localeCompare(key(b)) || a.group.localeCompare(b.group));

/** The one pair of labs that is up. */
let up: { key: string; forwarding: Path; desplice: Path } | undefined;

async function pathsFor(
  key: string,
  conditions: PathConditions,
): Promise<{ forwarding: Path; desplice: Path }> {
  if (up?.key === key) return up;
  await takeDown();
  const forwarding = await Path.up('forwarding', conditions);
  try {
    const desplice = await Path.up(control ? 'control' : 'desplice', conditions);
    up = { key, forwarding, desplice };
    return up;
  } catch (error) {
    await forwarding.down();
    throw error;
  }
}

async function takeDown(): Promise<void> {
  const paths = up ? [up.forwarding, up.desplice] : [];
  up = undefined;
  for (const path of paths) await path.down();
}

/** Compares forwarding with forwarding: whatever differs then is the harness's fault. */
const control = process.env.DESPLICE_FIDELITY_CONTROL === '1';
/** Prints both timelines of scenarios that pass, too. */
const show = process.env.DESPLICE_FIDELITY_SHOW === '1';
/** Runs each scenario so many times, to find races. */
const times = Number(process.env.DESPLICE_FIDELITY_REPEAT ?? 1);
const report = process.env.DESPLICE_FIDELITY_REPORT;
const rows: Row[] = [];

afterAll(async () => {
  await takeDown();
  if (report) writeReport(report, rows);
});

for (const scenario of scenarios) {
  for (const family of scenario.families ?? ([4, 6] as const)) {
    const patience = 60_000 * times;
    it(
      `${scenario.group}/${scenario.name} IPv${family}`,
      async () => {
        for (let i = 0; i < times; i++) await once(scenario, family, i);
      },
      patience,
    );
  }
}

async function once(scenario: Scenario, family: 4 | 6, round: number): Promise<void> {
  const verdict = await judge(scenario, family, await pathsFor(key(scenario), scenario.path ?? {}));
  if (round === 0) rows.push({ scenario, family, verdict });
  if (show) console.log(`${Math.round(verdict.milliseconds)} ms\n${explain(verdict)}`);
  const fault = control ? undefined : faultOf(scenario, family);
  if (verdict.broken || (verdict.wrong.length > 0 && !fault)) {
    expect.fail(`${times > 1 ? `round ${round + 1}` : ''}\n${explain(verdict)}`);
  }
  if (fault && !scenario.race && verdict.wrong.length === 0) {
    expect.fail(`the fault is mended; take the mark out of the scenario: ${fault}`);
  }
}
