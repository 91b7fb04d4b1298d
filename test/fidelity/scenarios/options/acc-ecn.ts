import { rawEndsTalk } from '../../harness/raw-talk.js';
import { type Scenario, scenario } from '../../harness/scenario.js';

const offer = 'SEWA';
/** The server as one with AccECN, one with classic ECN, and one with neither would answer. */
const answers: [what: string, letters: string][] = [
  ['accepted', 'S.W'],
  ['answered-by-ecn', 'S.E'],
  ['refused', 'S.'],
];

const standard = 'RFC 9768 section 3.1.1: a SYN with AE, CWR and ECE offers AccECN';

export default [
  ...answers.map(
    ([what, letters]): Scenario =>
      scenario({
        name: `acc-ecn-${what}`,
        group: 'options',
        faults: [3, 24],
        standard,
        taken: 'unsupportedOption.accEcn',
        run: (ends) => rawEndsTalk(ends, { letters: offer }, { letters }),
      }),
  ),
  scenario({
    name: 'acc-ecn-off',
    group: 'options',
    faults: [3, 24],
    standard,
    rule: 'ecnOff',
    taken: true,
    differences: ['no-ecn'],
    run: (ends) => rawEndsTalk(ends, { letters: offer }, {}),
  }),
  scenario({
    name: 'acc-ecn-stripped',
    group: 'options',
    faults: [3, 24],
    standard: 'RFC 9768 section 3.1.2: what remains without AE is an offer of classic ECN',
    rule: 'strip',
    taken: true,
    differences: ['stripped'],
    run: (ends) => rawEndsTalk(ends, { letters: offer }, {}),
  }),
];
