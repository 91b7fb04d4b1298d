import { rawClientTalks, rawServerTalks } from '../../harness/raw-talk.js';
import { scenario } from '../../harness/scenario.js';

/** What comes in front counts, what comes behind does not: the window scale is never agreed on. */
const endings: [what: string, bytes: number[], standard: string][] = [
  ['length-0', [77, 0, 1, 1, 3, 3, 7, 1], 'RFC 9293 section 3.1 (MUST-7): survive it'],
  ['length-1', [77, 1, 1, 1, 3, 3, 7, 1], 'RFC 9293 section 3.1 (MUST-7): survive it'],
  ['length-beyond-the-end', [3, 3, 7, 1, 1, 1, 77, 3], 'RFC 9293 section 3.1 (MUST-7): survive it'],
  ['no-length', [1, 1, 1, 77], 'RFC 9293 section 3.1 (MUST-7): survive it'],
  ['option-behind-the-end', [0, 3, 3, 7], 'RFC 9293 section 3.1: the list ends at kind 0'],
  ['foreign-behind-the-end', [0, 0, 77, 2], 'RFC 9293 section 3.1: the list ends at kind 0'],
  ['mss-of-wrong-length', [2, 6, 5, 0xb4, 0, 0, 1, 1], 'RFC 9293 section 3.2: MSS has length 4'],
  ['sack-of-wrong-length', [4, 4, 0, 0], 'RFC 2018 section 2: SACK-permitted has length 2'],
  ['scale-of-wrong-length', [3, 4, 7, 0], 'RFC 7323 section 2.2: window scale has length 3'],
  ['mss-twice', [2, 4, 3, 0xe8], 'RFC 9293 section 3.2 does not say; Linux takes the last'],
];

export default endings.flatMap(([what, more, standard]) => [
  scenario({
    name: `${what}-in-syn`,
    group: 'options',
    faults: [13],
    standard,
    taken: true,
    run: (ends) => rawClientTalks(ends, { options: { mss: 1300, more }, longest: 1300 }),
  }),
  scenario({
    name: `${what}-in-syn-ack`,
    group: 'options',
    faults: [13],
    standard,
    taken: true,
    run: (ends) => rawServerTalks(ends, { options: { mss: 1300, more }, longest: 1300 }),
  }),
]);
