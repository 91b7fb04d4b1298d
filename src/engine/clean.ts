/** Removes what an engine that was killed has left in this network namespace. */
import { removeFilters } from './filters.js';
import { findPredecessors, resetKeepers } from './keep/predecessors.js';
import { lockNamespace } from './lock.js';
import { links, removeLocalDelivery, restoreSettings } from './system.js';

/** Returns what was removed, in words. Throws EngineError while an engine is running here. */
export async function cleanSystem(): Promise<string[]> {
  const lock = await lockNamespace();
  const removed: string[] = [];
  for (const predecessor of findPredecessors()) {
    const pids = predecessor.keepers.map(({ process }) => process.pid).join(', ');
    const flows = Math.ceil(resetKeepers(predecessor) / 2);
    removed.push(`keeper (process ${pids}) of a killed engine; ${flows} flows were reset`);
  }
  for (const link of links()) {
    if (removeFilters(link.ifindex, link.ifname)) removed.push(`programs on ${link.ifname}`);
  }
  if (removeLocalDelivery()) removed.push('rules and routes of local delivery');
  for (const name of restoreSettings()) removed.push(`${name} set back`);
  lock.close();
  return removed;
}
