/** The oracle: one exchange through plain forwarding and through desplice, and everything in which they differ. */
import { compareTimelines, type Difference } from '../../../src/timeline/compare.js';
import { renderSideBySide } from '../../../src/timeline/render.js';
import type { Timeline } from '../../../src/timeline/timeline.js';
import { type Allowed, allowed } from '../differences.js';
import { firstPorts, type Path } from './path.js';
import { Play } from './play.js';
import type { Scenario } from './scenario.js';
import { formatEntry } from './transcript.js';

export interface Found {
  /** `rst.ack`, `call.result`, `states`, … */
  name: string;
  where: string;
  forwarding: string;
  desplice: string;
}

export interface Verdict {
  /** Why the scenario itself is no good: it does not do under plain forwarding what it says. */
  broken: string | undefined;
  wrong: Found[];
  byDesign: (Found & { allowed: Allowed })[];
  /** Both runs, for a person. */
  picture: string;
  counted: Record<string, number>;
  milliseconds: number;
}

const nextPort: Record<keyof typeof firstPorts, number> = { ...firstPorts };

export async function judge(
  scenario: Scenario,
  family: 4 | 6,
  paths: { forwarding: Path; desplice: Path },
): Promise<Verdict> {
  const began = performance.now();
  const port = nextPort[scenario.rule ?? 'default']++;
  const plain = new Play(paths.forwarding, scenario, family, port);
  const taken = new Play(paths.desplice, scenario, family, port);
  let found: Found[] = [];
  let picture = '';

  try {
    await Promise.all([plain.run(), taken.run()]);
    // The middle may be a little behind: it gets a second to show what forwarding has shown.
    for (let tries = 0; tries < 20; tries++) {
      await Promise.all([plain.read(), taken.read()]);
      const states = await Promise.all([plain.states(), taken.states()]);
      ({ found, picture } = compare(plain, taken, states as [string, string]));
      if (
        found.length === 0 ||
        (tries > 4 && found.every(({ name }) => name !== 'states' && name !== 'ack.last'))
      )
        break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await Promise.all([plain.clean(), taken.clean()]);
  }
  if (paths.desplice.engine) found.push(...middle(scenario, taken));
  const judged = found.map((each) => ({ ...each, allowed: allowed(each, scenario) }));
  return {
    broken: plain.stopped ?? plain.unseen(),
    wrong: judged.filter((each) => !each.allowed),
    byDesign: judged.filter((each): each is Found & { allowed: Allowed } => each.allowed !== undefined),
    picture,
    counted: taken.counted,
    milliseconds: performance.now() - began,
  };
}

function compare(plain: Play, taken: Play, states: [string, string]): { found: Found[]; picture: string } {
  const found: Found[] = [...compareCalls(plain, taken)];
  if (states[0] !== states[1]) {
    found.push({ name: 'states', where: 'in the end', forwarding: states[0], desplice: states[1] });
  }
  const pictures: string[] = [];
  const [left, right] = [plain.timelines(), taken.timelines()];
  for (const end of ['client', 'server'] as const) {
    const count = Math.max(left[end].length, right[end].length);
    for (let i = 0; i < count; i++) {
      const where = `at the ${end}${count > 1 ? `, connection ${i + 1}` : ''}`;
      const connection = (left[end][i] ?? right[end][i])?.connection as Timeline['connection'];
      const empty: Timeline = { events: [], connection, labels: { '>': new Set(), '<': new Set() } };
      const [a, b] = [left[end][i] ?? empty, right[end][i] ?? empty];
      const differences = compareTimelines(a, b).filter(
        ({ name }) => plain.scenario.nothingTwice || name !== 'again.extra',
      );
      found.push(...differences.map((each) => ({ ...nameOf(each), where: `${where}, ${each.direction}` })));
      const titles = [`forwarding, ${where}`, `desplice, ${where}`] as [string, string];
      pictures.push(renderSideBySide(a, b, differences, titles));
    }
  }
  const calls = plain.transcript.entries.map(formatEntry).join('\n');
  const foreign = [foreignLabels(left), foreignLabels(right)] as const;
  if (foreign[0] !== foreign[1]) {
    found.push({ name: 'label', where: 'on the way', forwarding: foreign[0], desplice: foreign[1] });
  }
  return { found, picture: [`calls (forwarding):\n${calls}`, ...pictures].join('\n\n') };
}

/** Flow labels that an end received and the other did not send. */
function foreignLabels({ client, server }: ReturnType<Play['timelines']>): string {
  const lines = client.flatMap((atClient, i) => {
    const atServer = server[i];
    if (!atServer) return [];
    const toServer = [...atServer.labels['>']].filter((label) => !atClient.labels['>'].has(label));
    const toClient = [...atClient.labels['<']].filter((label) => !atServer.labels['<'].has(label));
    return [
      ...toServer.map((label) => `> ${label || 'none'}`),
      ...toClient.map((label) => `< ${label || 'none'}`),
    ];
  });
  return lines.join(', ') || 'labels arrive as they were sent';
}

function nameOf({ name, left, right }: Difference) {
  return { name, forwarding: left, desplice: right };
}

/** Each end's calls in the order in which it made them. */
function compareCalls(plain: Play, taken: Play): Found[] {
  const found: Found[] = [];
  for (const end of ['client', 'server', 'scenario'] as const) {
    const [left, right] = [plain, taken].map(({ transcript }) =>
      transcript.entries
        .filter((entry) => entry.end === end)
        .map(({ call, result }) => `${call} = ${result}`),
    ) as [string[], string[]];
    for (let i = 0; i < Math.max(left.length, right.length); i++) {
      if (left[i] === right[i]) continue;
      const where = `${end}, call ${i + 1}`;
      found.push({ name: 'call', where, forwarding: left[i] ?? 'nothing', desplice: right[i] ?? 'nothing' });
    }
  }
  return found;
}

/** What must be true of the engine: it did what the scenario says, and nothing is left. */
function middle(scenario: Scenario, { counted, leftovers }: Play): Found[] {
  const found: Found[] = [];
  const { taken } = scenario;
  const flows = typeof taken === 'number' ? taken : taken === true ? 1 : 0;
  const wanted: Record<string, number> = { 'flows.intercepted': flows };
  if (typeof taken === 'string') {
    const [group, option] = taken.split('.');
    if (group === 'unsupportedOption' && option) wanted[`forwarded.byOption.${option}`] = 1;
    wanted[taken.includes('.') && group !== 'unsupportedOption' ? taken : `forwarded.${group}`] = 1;
  }
  const counts = Object.entries(counted).filter(
    ([name]) => name === 'flows.intercepted' || name.startsWith('forwarded.') || name in wanted,
  );
  const text = (entries: [string, number][]) =>
    entries
      .filter(([, n]) => n !== 0)
      .map(([name, n]) => `${name} ${n}`)
      .sort()
      .join(', ') || 'nothing';
  const [is, should] = [text(counts), text(Object.entries(wanted))];
  if (is !== should) {
    found.push({
      name: 'counters',
      where: 'in the middle',
      forwarding: `should be: ${should}`,
      desplice: is,
    });
  }
  if (leftovers.length > 0) {
    found.push({
      name: 'leftovers',
      where: 'in the middle',
      forwarding: 'nothing',
      desplice: leftovers.join('; '),
    });
  }
  return found;
}

export function explain({ broken, wrong, byDesign, picture }: Verdict): string {
  const line = ({ name, where, forwarding, desplice }: Found) =>
    `${name} (${where})\n    forwarding: ${forwarding.replaceAll('\n', '\n                ')}\n    desplice:   ${desplice.replaceAll('\n', '\n                ')}`;
  return [
    ...(broken ? [`the scenario does not work with plain forwarding: ${broken}`] : []),
    ...wrong.map(line),
    ...byDesign.map((each) => `allowed: ${line(each)}\n    because:    ${each.allowed.reason}`),
    '',
    picture,
  ].join('\n');
}
