import { foreign, padded } from '../../harness/foreign.js';
import { rawEndsTalk } from '../../harness/raw-talk.js';
import { scenario } from '../../harness/scenario.js';

/** `unsupported: strip`, and both ends speak of it. */
export default foreign.map(({ name, what, bytes, standard, strippable }) =>
  scenario({
    name: `${what}-stripped`,
    group: 'options',
    faults: [11, 12],
    standard,
    rule: 'strip',
    taken: strippable || `unsupportedOption.${name}`,
    ...(strippable && { differences: ['stripped'] }),
    run(ends) {
      const options = { mss: 1460, more: padded(bytes) };
      return rawEndsTalk(ends, { options }, { options });
    },
  }),
);
