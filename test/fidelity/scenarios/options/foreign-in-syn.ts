import { foreign, padded } from '../../harness/foreign.js';
import { rawEndsTalk } from '../../harness/raw-talk.js';
import { scenario } from '../../harness/scenario.js';

/** Only the client speaks of it: the server may have understood it all the same. */
export default foreign.map(({ name, what, bytes, standard }) =>
  scenario({
    name: `${what}-in-syn`,
    group: 'options',
    faults: [11, 12],
    standard,
    taken: `unsupportedOption.${name}`,
    run: (ends) =>
      rawEndsTalk(ends, { options: { mss: 1460, more: padded(bytes) } }, { options: { mss: 1460 } }),
  }),
);
