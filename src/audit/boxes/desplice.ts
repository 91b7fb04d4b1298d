/** This program itself: as a relay to the end, and as one that gives each flow back. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Box, firstLine } from './box.js';
import { type Placing, placed } from './placing.js';

const bin = fileURLToPath(new URL('../../../bin/desplice', import.meta.url));

async function run(placing: Placing, configuration: string): Promise<void> {
  const folder = placing.folder();
  const file = placing.file(folder, 'desplice.yaml', configuration);
  const argv = [bin, 'run', '-c', file, '--control', join(folder, 'control.sock')];
  await placing.program(argv, (_, said) => said().includes('ready'));
}

const rule = ({ lab, ports }: Placing, settings: string): string => `# docs/manual/rules.md
interfaces: [${lab.interfaces.clientSide}, ${lab.interfaces.serverSide}]
rules:
  - ports: [${ports.first}-${ports.last}]
${settings}
`;

const common = { missing: () => '', version: () => firstLine(bin, '--version') };

export const desplice: Box = {
  ...common,
  name: 'desplice',
  what: 'desplice run, action relay',
  documentation: ['docs/manual/rules.md'],
  start: placed((placing) => run(placing, rule(placing, '    action: relay'))),
};

/** As soon as one byte has passed it gives the flow back, so that what a case does behind its first data meets forwarding. */
export const despliceReleased: Box = {
  ...common,
  name: 'desplice-released',
  what: 'desplice run, action relay, released after the first byte',
  documentation: ['docs/manual/rules.md', 'docs/manual/release.md'],
  start: placed((placing) => run(placing, rule(placing, '    action: relay\n    release: { after: 1 }'))),
};
