import { defaultMss, rawClientTalks } from '../../harness/raw-talk.js';
import { type Scenario, scenario } from '../../harness/scenario.js';

const values: [mss: number | undefined, standard: string, taken?: string][] = [
  [0, 'RFC 9293 section 3.7.1: there is no such MSS; Linux takes it for absent'],
  [
    1,
    'RFC 9293 section 3.7.1: allowed, and a way to make others work (CVE-2019-11479); Linux sends no less than 48',
    'unsupportedOption.tinyMss',
  ],
  [87, 'RFC 9293 section 3.7.1 (MUST-16): nothing longer', 'unsupportedOption.tinyMss'],
  [88, 'RFC 9293 section 3.7.1 (MUST-16): nothing longer'],
  [535, 'RFC 9293 section 3.7.1 (MUST-16): nothing longer'],
  [536, 'RFC 9293 section 3.7.1 (MUST-16): nothing longer'],
  [1219, 'RFC 9293 section 3.7.1 (MUST-16): nothing longer'],
  [9000, 'RFC 9293 section 3.7.1: the path allows less'],
  [65535, 'RFC 9293 section 3.7.1, RFC 2675 section 5: the path allows less'],
];

export default values.map(
  ([mss, standard, taken]): Scenario =>
    scenario({
      name: `mss-${mss}-of-client`,
      group: 'options',
      faults: [14, 15, 16, 17],
      standard,
      taken: taken ?? true,
      run: (ends) => {
        const link = ends.family === 4 ? 1460 : 1440;
        const longest = mss === 1 ? 48 : Math.min(link, mss || defaultMss(ends.family));
        return rawClientTalks(ends, { options: { mss }, longest });
      },
    }),
);
