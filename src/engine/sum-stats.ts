/** The counters of the kernel program and of all workers, as `desplice stats` shows them. */
import type { Stats } from '../flow/stats.js';
import { protocols } from '../peek/seen.js';
import type { Counters } from './counters.js';
import type { Datapath } from './datapath.js';

export type EngineStats = Stats & { forwarded: { byOption: Record<string, number> } };

export function sumStats(datapath: Datapath, workers: readonly Counters[], unanswered: number): EngineStats {
  const kernel = datapath.counters();
  const sum = (name: Parameters<Counters['get']>[0]) =>
    workers.reduce((total, counters) => total + counters.get(name), 0);
  return {
    handshakes: {
      seen: kernel.seen,
      completed: kernel.completed,
      refused: kernel.refused,
      unanswered: unanswered,
    },
    flows: {
      intercepted: sum('intercepted'),
      active: sum('active'),
      closed: sum('closed'),
      reset: sum('reset'),
      released: sum('released'),
    },
    forwarded: {
      unmatched: kernel.unmatched,
      noData: kernel.noData,
      asymmetric: kernel.asymmetric,
      unsupportedOption: kernel.unsupportedOption,
      byOption: datapath.byOption(),
      dataInSyn: kernel.dataInSyn,
      simultaneousOpen: kernel.simultaneousOpen,
      midstream: kernel.midstream,
      tableFull: sum('tableFull'),
      engineStale: kernel.engineStale,
      failed: sum('failed'),
      decided: kernel.decided + sum('decided'),
      endedInHold: sum('endedInHold'),
      ecn: kernel.ecn + sum('ecn'),
    },
    bytes: { toServer: sum('toServer'), toClient: sum('toClient') },
    protocols: Object.fromEntries(protocols.map((name) => [name, sum(name)])) as Stats['protocols'],
  };
}
