/** A new engine takes the place of a running one: the main thread's part. docs/manual/upgrade.md draws it. */
import { mapDelete, mapLookup } from '../../kernel/bpf.js';
import { close } from '../../kernel/socket.js';
import { compileRules } from '../../policy/rules.js';
import { Counters } from '../counters.js';
import { EngineError } from '../errors.js';
import type { KeptTable } from '../keep/table.js';
import { FLOW_BYTES, FLOW_ID } from '../layout.js';
import type { RulesMessage } from '../messages.js';
import type { InterceptOptions } from '../options.js';
import { workOf } from '../rule-book.js';
import { destroyForeignSockets } from '../system.js';
import type { FrozenWorker } from './channel.js';
import type { Crew } from './crew.js';
import { faultPoint } from './fault.js';
import { RunningEngine } from './running-engine.js';

/**
 * Starts an engine as its options say: in place of a running one, or by itself. If the running one dies meanwhile, what it has
 * left is dealt with as after any kill.
 */
export async function startOrReplace<T>(
  options: InterceptOptions,
  start: (running: RunningEngine | null) => Promise<T>,
): Promise<T> {
  // Who is not root is told so by the start.
  if (!options.replace || process.geteuid?.() !== 0) return start(null);
  const log = options.log ?? (() => {});
  const running = await RunningEngine.find(options.interfaces);
  if (!running) {
    const message = 'no engine is running here: this one starts as usual';
    log({ level: 'info', event: 'nothingToReplace', message });
    return start(null);
  }
  try {
    return await start(running);
  } catch (error) {
    const { isLost } = running;
    running.close();
    if (!isLost || !(await RunningEngine.isGone())) throw error;
    const message = `the running engine (process ${running.pid}) ended while this one took over: this one starts as usual`;
    log({ level: 'warn', event: 'replaceLost', message });
    return start(null);
  }
}

/** Under which a running engine has selected connections that say nothing yet; null: this version does not know such rules. */
export function rulesBefore(running: RunningEngine): RulesMessage | null {
  const { generation, rules } = running.welcome;
  try {
    return { generation, work: workOf(compileRules(rules)) };
  } catch {
    return null;
  }
}

/** Takes the place of a running engine, all workers being ready. Throws with that one going on. Returns what is to be said when
 *  the new one has its names. */
export async function takeOver(running: RunningEngine, crew: Crew): Promise<() => void> {
  const { datapath, answers, sendAll, log } = crew;
  datapath.prepareSystem();
  // Before it may die.
  const lock = running.copy(running.welcome.lock);
  let taken: Taken;
  try {
    taken = await takeFlows(running, crew);
  } catch (error) {
    close(lock);
    throw error;
  }
  const { flows, sources } = taken;
  running.whenGone(() => forgetStaying(datapath.maps.flows, sources));
  faultPoint('taken');
  const begun = await answers.begun.ask(crew.counters.length, (request) =>
    sendAll({ type: 'begin', request }),
  );
  const frozenAt = Math.min(...sources.map(({ at }) => at));
  // A worker that has just died answers nothing.
  const gapMs = Math.round((Math.max(frozenAt, ...begun.map(({ at }) => at)) - frozenAt) / 1e4) / 100;
  try {
    await datapath.takeSystem(lock);
    datapath.removeOthers(running.welcome.tuns);
  } catch (error) {
    // The flows are here: whatever else is wrong must not end them.
    const message = `what the engine before has set up is not all taken over: ${(error as Error).message}`;
    log({ level: 'error', event: 'takeSystemFailed', message });
  }
  const staying = sources.reduce((sum, each) => sum + each.staying.length, 0);
  const { version } = running.welcome;
  const message =
    `${flows} flows of the running engine (process ${running.pid}, version ${version}) go on here after ${gapMs} ms` +
    `${staying > 0 ? `; ${staying} stay there until they end` : ''}`;
  log({ level: 'info', event: 'tookOver', message, adopted: flows, staying, gapMs });
  return () => running.done(gapMs);
}

interface Taken {
  flows: number;
  sources: readonly FrozenWorker[];
}

/** Throws with nothing taken. */
async function takeFlows(running: RunningEngine, crew: Crew): Promise<Taken> {
  const { datapath, answers, sendAll } = crew;
  const workers = crew.counters.length;
  const ports = running.ports();
  faultPoint('prepared');
  const { workers: sources, table } = await running.freeze();
  faultPoint('frozen');
  for (const { worker } of sources) addCounters(crew, table, worker);
  const adopted = await answers.adopted.ask(workers, (request) =>
    sendAll({ type: 'adopt', request, sources, workers }),
  );
  const failed = adopted.find(({ error }) => error !== null);
  if (failed || adopted.length < workers) {
    throw new EngineError('REPLACE', `a worker could not take over: ${failed?.error ?? 'it has died'}`);
  }
  faultPoint('adopted');
  datapath.addPorts(ports);
  datapath.beat();
  datapath.attachPrograms();
  faultPoint('attached');
  if (!running.take()) {
    // At once, so that it puts its own programs in the place of ours.
    running.close();
    throw new EngineError('REPLACE', 'the running engine goes on, since this one was too slow to take over');
  }
  datapath.keeping?.commit();
  return { flows: adopted.reduce((sum, each) => sum + each.flows, 0), sources };
}

/** Flows that had stayed in an engine that is gone: it has removed all of them itself, unless it was killed. */
function forgetStaying(flows: number, sources: readonly FrozenWorker[]): void {
  if (sources.every(({ staying }) => staying.length === 0)) return;
  const newest = Math.max(...sources.map(({ generation }) => generation));
  const value = new Uint8Array(FLOW_BYTES);
  const words = new DataView(value.buffer);
  for (const { staying } of sources) {
    for (const text of staying) {
      const key = Buffer.from(text, 'hex');
      // Younger flows with these ports are ours.
      if (mapLookup(flows, key, value) === 0 && words.getUint32(FLOW_ID + 4, true) <= newest)
        mapDelete(flows, key);
    }
  }
  destroyForeignSockets(true);
}

function addCounters({ counters }: Crew, table: KeptTable, worker: number): void {
  const [first] = counters;
  first?.addAll(new Counters(table.buffer, table.counters(worker)));
  // Each worker adds its own.
  first?.set('active', 0);
}
