import { rawClientTalks, rawServerTalks } from '../../harness/raw-talk.js';
import { scenario } from '../../harness/scenario.js';

/** The window on the wire, and how much the other end sends at once: more than the window unless the scale counts. */
const scales: [windowScale: number, window: number, standard: string][] = [
  [0, 60_000, 'RFC 7323 section 2.2: a scale of 0 offers scaling and shifts nothing'],
  [2, 20_000, 'RFC 7323 section 2.2: the window is shifted in every segment but the SYN'],
  [14, 10, 'RFC 7323 section 2.3: 14 is the most'],
  [15, 10, 'RFC 7323 section 2.3: what is above 14 counts as 14'],
  [255, 10, 'RFC 7323 section 2.3: what is above 14 counts as 14'],
];

export default scales.flatMap(([windowScale, window, standard]) => [
  scenario({
    name: `scale-${windowScale}-of-client`,
    group: 'options',
    faults: [10],
    standard,
    taken: true,
    run: (ends) =>
      rawClientTalks(ends, { options: { mss: 1460, windowScale }, send: { window }, bytes: 50_000 }),
  }),
  scenario({
    name: `scale-${windowScale}-of-server`,
    group: 'options',
    faults: [10],
    standard,
    taken: true,
    run: (ends) =>
      rawServerTalks(ends, { options: { mss: 1460, windowScale }, send: { window }, bytes: 50_000 }),
  }),
]);
