/** An engine worker: a thread that waits in epoll, takes flows over and relays them. It never enters the event loop. */
import { type MessagePort, receiveMessageOnPort, workerData as untyped } from 'node:worker_threads';
import { formatEndpoint } from '../flow/record.js';
import type { ReleaseOutcome } from '../flow/stats.js';
import { Epoll } from '../kernel/epoll.js';
import { silence } from '../kernel/eventfd.js';
import { mmapShared } from '../kernel/ffi.js';
import { Poll } from '../kernel/ppoll.js';
import { close, duplicate, reserveDescriptors } from '../kernel/socket.js';
import { SpareDescriptors } from '../kernel/spare_descriptors.js';
import { describeSeen, type Seen } from '../peek/seen.js';
import type { Then } from '../policy/clauses.js';
import { BusyPoll } from './busy-poll.js';
import { CatchingUp } from './catching-up.js';
import { monotonic } from './clock.js';
import { Counters } from './counters.js';
import { DirectData } from './direct.js';
import { FlowEntry } from './flow-entry.js';
import { FlowTable } from './flow-table.js';
import { handOver } from './hand-over.js';
import { Handled } from './handled.js';
import { type DecideHere, Intake } from './intake.js';
import { KeepingWorker } from './keep/worker-half.js';
import { Config, Live } from './layout.js';
import type { Drained, FromWorker, ToWorker, WorkerData } from './messages.js';
import { PartedRing } from './parted-ring.js';
import { Peeking } from './peeking.js';
import { pipes } from './relay.js';
import { Relaying } from './relaying.js';
import { ReleasePolicy } from './release-policy.js';
import { Releasing } from './releasing.js';
import { Freezing } from './replace/freezing.js';
import { WorkerHandOver } from './replace/worker-half.js';
import { RuleBook } from './rule-book.js';
import { Settling } from './settling.js';
import { isStillHeld } from './still-held.js';
import { CLIENT, type Identity, SERVER, type Side, type TakenFlow } from './taken.js';
import { Takeover } from './takeover.js';
import { RequestSockets } from './takeover-request.js';
import { TunWriter } from './tun-writer.js';

/** Generations start at 1, so that 0 marks what is not a flow. */
const NOT_A_FLOW = 0;
const TAG_TUN = 0;
const TAG_WAKE = 1;
/** Well below the second after which the tracker takes a silent engine for dead. */
const HEARTBEAT_MS = 200;
/** A busy loop turns thousands of times a second; the tracker need not be told each time. */
const BEAT_EVERY_MS = 50;
/** How often a reset that waits for acknowledgements looks again. */
const RESTLESS_MS = 2;
/** For so long behind a FIN the tracker is expected to end flows, and how often that is looked at. */
const PARTING_MS = 1000;
const PARTING_LOOK_MS = 10;

const data = untyped as WorkerData & { port: MessagePort };
const { port } = data;
const post = (message: FromWorker): void => port.postMessage(message);

const decide: 'none' | 'main' | DecideHere =
  data.decide === 'none' || data.decide === 'main' ? data.decide : (await import(data.decide)).default;

const keep = data.keep && new KeepingWorker(data.keep, data.index);
const config = mmapShared(data.config, Config.bytes);
const heartbeat = new BigUint64Array(config, Config.heartbeat + data.index * 8, 1);
const tun = new TunWriter(data.tun, config, data.index);
/** Two sockets, and a handler's copies of them where it shares this table. */
const spare = new SpareDescriptors(data.wake, keep ? 2 : 4);
const request = new RequestSockets(tun, config, data.index, spare);
const epoll = new Epoll();
const counters = keep ? keep.counters : new Counters(data.counters as SharedArrayBuffer);
const onEnd = (flow: TakenFlow): void => {
  if (drainUntil && !flow.left) drained.ended++;
  if (flow.action === 'handle') post({ type: 'ended', name: flow.id });
};
const reinject = (packet: Uint8Array): void => tun.reinject(packet);
const entry = new FlowEntry(data.changeFlow);
const table = new FlowTable(
  { flows: data.flows, handshakes: data.handshakes },
  data.index,
  entry,
  new Takeover(
    request,
    (identity) => isStillHeld(data.handshakes, identity),
    spare,
    // The bytes of a flow that is kept go through pipes only, one for each direction.
    () => !keep || pipes.reserve(2),
  ),
  counters,
  onEnd,
  reinject,
  keep ? keep.flows : null,
);
const parted = new PartedRing(config, data.index);
const relaying = new Relaying(epoll, table);
const handled = new Handled(epoll, table);
const direct = new DirectData(counters, tun);
const catchingUp = new CatchingUp(table);
const awake = new BusyPoll((timeout) => epoll.wait(timeout), data.busyPollUs);
const releasing = new Releasing(entry, table, direct, catchingUp, reinject);
const policy = new ReleasePolicy(releasing);
relaying.onEnough = (flow) => policy.release(flow, monotonic());
const rules = new RuleBook(readMail);
rules.set(data.rules.generation, data.rules.work);
const peeking = new Peeking(onPeeked);
const settling = new Settling(
  table,
  relaying,
  policy,
  direct,
  catchingUp,
  counters,
  post,
  reinject,
  giveToHandler,
);
const intake = new Intake(
  data.tun,
  table,
  catchingUp,
  releasing,
  peeking,
  settling,
  rules,
  decide,
  post,
  onSeen,
  data.decideTimeoutMs,
  () => beat(monotonic()),
);

const freezing = new Freezing(table, epoll, intake, catchingUp, releasing, peeking, direct);
const replacing = new WorkerHandOver(freezing, post);
const mail = new Poll([data.wake]);
/** What goes on here once `begin` has come. */
let adopted: TakenFlow[] = [];
/** False while another engine holds the flows: until then nothing of theirs is moved, nothing is taken, and no heart beats. */
let begun = !keep && data.beside === null;
if (data.beside !== null) reserveDescriptors(data.wake, data.beside);

function onSeen(identity: Identity, seen: Seen, then: Then): void {
  counters.add(seen.protocol, 1);
  if (!data.tellSeen) return;
  const [client, server] = [
    formatEndpoint(identity.endpoint(CLIENT)),
    formatEndpoint(identity.endpoint(SERVER)),
  ];
  post({
    type: 'log',
    level: 'info',
    event: 'peeked',
    message: `${client} to ${server}: ${describeSeen(seen)}; ${then.action}`,
    client,
    server,
    seen,
    then: then.action,
  });
}

/** The first bytes of a flow with sockets tell, or will not. */
function onPeeked(flow: TakenFlow, seen: Seen, then: Then, events: readonly [number, number]): void {
  onSeen(flow.identity, seen, then);
  flow.seen = seen;
  flow.module = then.module;
  const now = monotonic();
  if (then.action === 'reset') table.abort(flow);
  else if (then.action === 'handle') {
    for (const fd of flow.fds) epoll.remove(fd);
    flow.state = 'handle';
    table.handle(flow);
    giveToHandler(flow);
  } else {
    relaying.begin(flow, events);
    if (then.action !== 'relay') policy.release(flow, now);
    else {
      entry.change(flow.identity, 0, Live.ARRIVING);
      policy.watch(flow, then.release, now);
    }
  }
}

function giveToHandler(flow: TakenFlow): void {
  try {
    // The main thread of an engine that keeps has a table of its own, and copies them itself.
    handOver(flow, post, keep ? (fd) => fd : (fd) => spare.retry(() => duplicate(fd)));
  } catch (error) {
    table.abort(flow);
    post({ type: 'log', level: 'error', event: 'flowFailed', message: `a flow is reset: ${String(error)}` });
  }
}

function onParted(index: number, generation: number): void {
  const flow = table.get(index, generation);
  if (flow) table.part(flow);
}

let lastBeat = -Infinity;
let running = true;
let drainUntil = 0;
let drainRequest = 0;
let drained: Drained = { released: 0, ended: 0, reset: 0 };

function readMail(): void {
  for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) onMessage(got.message);
}

function onMessage(message: ToWorker): void {
  switch (message.type) {
    case 'rules':
      rules.set(message.generation, message.work);
      break;
    case 'decision':
      intake.onDecision(message.id, message.decision);
      break;
    case 'relay': {
      const flow = table.get(message.id, message.generation);
      if (flow) relaying.adopt(flow, [message.toServer, message.toClient]);
      break;
    }
    case 'reset': {
      const flow = table.get(message.id, message.generation);
      if (flow) table.abort(flow);
      break;
    }
    case 'sideClosed': {
      const flow = table.get(message.id, message.generation);
      if (flow) handled.orphan(flow, message.side);
      break;
    }
    case 'list':
      list(message.request);
      break;
    case 'release':
      release(message);
      break;
    case 'drain':
      intake.draining = true;
      intake.forwardAll();
      drainUntil = monotonic() + message.milliseconds;
      drainRequest = message.request;
      drained = { released: 0, ended: 0, reset: 0 };
      peeking.stop('release');
      for (const flow of [...table.byKey.values()]) releaseForStop(flow);
      break;
    case 'keep':
      if (keep) post({ type: 'keeper', keeper: keep.startKeeper() });
      break;
    case 'begin':
      begin(message.request);
      break;
    case 'adopt':
      replacing.adopt(message);
      break;
    case 'freeze':
      replacing.ask(message);
      break;
    case 'thaw':
      freezing.thaw();
      break;
    case 'leave':
      post({ type: 'left', request: message.request, flows: freezing.leave() });
      break;
    case 'stop':
      running = false;
      break;
  }
}

function begin(request: number): void {
  begun = true;
  listen();
  beat(monotonic());
  replacing.begin(request, adopted, parted, relaying);
  replacing.takeHeld(intake, tun);
  adopted = [];
}

function list(request: number): void {
  const flows = [...table.byKey.values()].filter(({ finished }) => !finished);
  for (const flow of flows) for (const side of [CLIENT, SERVER] as const) table.countHandled(flow, side);
  post({ type: 'listed', request, flows: flows.map((flow) => flow.info()) });
}

/** Answers when all have been released, or not. */
function release({ request, flows, within }: Extract<ToWorker, { type: 'release' }>): void {
  const outcomes: ReleaseOutcome[] = [];
  const chosen = flows
    ? flows.map((id) => table.named(id)).filter((flow) => flow !== null)
    : [...table.byKey.values()];
  let out = chosen.length;
  const now = monotonic();
  for (const flow of chosen) {
    releasing.begin(flow, now, now + within, (outcome) => {
      outcomes.push({ id: flow.id, ...outcome });
      if (--out === 0) post({ type: 'released', request, outcomes });
    });
  }
  if (chosen.length === 0) post({ type: 'released', request, outcomes });
}

/** One that is closing, or in a handler's hands, has the same time to end. */
function releaseForStop(flow: TakenFlow): void {
  releasing.begin(flow, monotonic(), drainUntil, ({ result }) => {
    if (result === 'released') drained.released++;
  });
}

/** `due` below 0: nothing is. */
const sooner = (wait: number, due: number): number => (due >= 0 && due < wait ? due : wait);

function timeout(now: number): number {
  if (relaying.busy || catchingUp.any) return 0;
  let wait = releasing.restless ? 1 : relaying.restless ? RESTLESS_MS : HEARTBEAT_MS;
  if (now - relaying.lastFin < PARTING_MS) wait = Math.min(wait, PARTING_LOOK_MS);
  const acknowledgement = direct.nextDue(now);
  if (acknowledgement >= 0) wait = Math.min(wait, acknowledgement);
  wait = sooner(wait, intake.nextDue(now));
  wait = sooner(wait, peeking.nextDue(now));
  wait = sooner(wait, policy.nextDue(now));
  if (drainUntil) wait = Math.min(wait, 20);
  return wait;
}

function beat(now: number): void {
  if ((now - lastBeat < BEAT_EVERY_MS && now >= lastBeat) || !begun) return;
  lastBeat = now;
  heartbeat[0] = process.hrtime.bigint();
}

function turn(): void {
  if (freezing.frozen) {
    mail.wait(Infinity);
    silence(data.wake);
    readMail();
    return;
  }
  const n = awake.wait(timeout(monotonic()));
  let held = false;
  for (let i = 0; i < n; i++) {
    const tag = epoll.tag(i);
    const generation = epoll.generation(i);
    if (generation !== NOT_A_FLOW) {
      const flow = table.get(tag >>> 1, generation);
      const side = (tag & 1) as Side;
      if (flow?.orphaned[side]) handled.onEvent(flow, side);
      else if (flow?.state === 'peek') peeking.onEvent(flow, side, epoll.events(i));
      else if (flow) {
        relaying.onEvent(flow, side, epoll.events(i));
        if (flow.held) releasing.touch(flow);
      }
    } else if (tag === TAG_TUN) held = true;
    else {
      silence(data.wake);
      readMail();
    }
  }
  const now = monotonic();
  beat(now);
  direct.acknowledge(now);
  relaying.settle(now);
  if (relaying.streamed) awake.relax();
  relaying.streamed = false;
  peeking.settle(now);
  policy.settle(now);
  releasing.settle(now);
  handled.settle(now);
  if (begun) parted.take(onParted);
  table.reap();
  // Last, so that a port used again finds its old flow cleaned up.
  // With nothing else to do there is most likely one packet, and a second read would find nothing; if there are more,
  // epoll says so at once.
  if (held || catchingUp.any) intake.readHeld(now, n === 1 && !catchingUp.any ? 1 : undefined);
  intake.expire(now);
  if (drainUntil && (table.byKey.size === 0 || now > drainUntil)) {
    drainUntil = 0;
    // What has left is counted as released.
    const rest = [...table.byKey.values()].filter(({ left }) => !left);
    for (const flow of rest) table.abort(flow);
    table.reap();
    drained.reset = rest.length;
    post({ type: 'drained', request: drainRequest, ...drained });
  }
  replacing.settle();
}

/** From now on flows are taken. */
function listen(): void {
  epoll.addReadable(data.tun, TAG_TUN, NOT_A_FLOW);
}

epoll.addReadable(data.wake, TAG_WAKE, NOT_A_FLOW);
if (keep) adopted = keep.adopt(table);
// Only when all is copied: one that is killed before leaves no keeper that has less than those before it.
const keeper = keep ? keep.startKeeper() : 0;
// One that keeps waits for `begin`. Were it killed before, the next engine would end what it had taken; and a socket that a
// listener has made and nobody has accepted yet looks like one that a killed engine has left (destroyForeignSockets()).
if (begun) {
  listen();
  beat(monotonic());
}
post({ type: 'ready', keeper });
while (running) turn();
replacing.abandon();
request.close();
spare.close();
table.close();
epoll.close();
// A keeper shares them, and may live a moment longer.
if (keep) close(data.tun);
else pipes.close();
port.close();
