/** An engine worker: a thread that waits in epoll, takes flows over and relays them. It never enters the event loop. */
import { type MessagePort, receiveMessageOnPort, workerData as untyped } from 'node:worker_threads';
import { Epoll } from '../kernel/epoll.js';
import { silence } from '../kernel/eventfd.js';
import { mmapShared } from '../kernel/ffi.js';
import { write } from '../kernel/socket.js';
import { Counters } from './counters.js';
import { DirectData } from './direct.js';
import { FlowTable } from './flow-table.js';
import { Handled } from './handled.js';
import { type DecideHere, Intake } from './intake.js';
import { Config } from './layout.js';
import type { FromWorker, ToWorker, WorkerData } from './messages.js';
import { Relaying } from './relaying.js';
import { RuleActions } from './rule-actions.js';
import type { Side, TakenFlow } from './taken.js';
import { Takeover } from './takeover.js';
import { RequestSockets } from './takeover-request.js';

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

const data = untyped as WorkerData & { port: MessagePort };
const { port } = data;
const post = (message: FromWorker): void => port.postMessage(message);

const decide: 'none' | 'main' | DecideHere =
  data.decide === 'none' || data.decide === 'main' ? data.decide : (await import(data.decide)).default;

const config = mmapShared(data.config, Config.bytes);
const heartbeat = new BigUint64Array(config, Config.heartbeat + data.index * 8, 1);
const request = new RequestSockets(data.tun, config, data.index);
const epoll = new Epoll();
const counters = new Counters(data.counters);
const onEnd = (flow: TakenFlow): void => {
  if (flow.action === 'handle') post({ type: 'ended', id: flow.index, generation: flow.generation });
};
const reinject = (packet: Uint8Array): void => {
  write(data.tun, packet, packet.length);
};
const table = new FlowTable(
  { flows: data.flows, handshakes: data.handshakes },
  new Takeover(request),
  counters,
  onEnd,
  reinject,
);
const relaying = new Relaying(epoll, table);
const handled = new Handled(epoll, table);
const direct = new DirectData(counters, reinject);
const intake = new Intake(
  data.tun,
  table,
  relaying,
  direct,
  counters,
  new RuleActions(data.actions),
  decide,
  post,
  data.decideTimeoutMs,
);

let lastBeat = 0;
let running = true;
let drainUntil = 0;

function onMessage(message: ToWorker): void {
  switch (message.type) {
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
      for (const flow of table.byKey.values())
        for (const side of [0, 1] as const) table.countHandled(flow, side);
      post({
        type: 'listed',
        request: message.request,
        flows: [...table.byKey.values()].map((flow) => flow.info()),
      });
      break;
    case 'drain':
      intake.draining = true;
      intake.forwardAll();
      drainUntil = Date.now() + message.milliseconds;
      break;
    case 'stop':
      running = false;
      break;
  }
}

function timeout(now: number): number {
  if (relaying.busy || intake.behind) return 0;
  let wait = relaying.restless ? RESTLESS_MS : HEARTBEAT_MS;
  const acknowledgement = direct.nextDue(now);
  if (acknowledgement >= 0) wait = Math.min(wait, acknowledgement);
  const decision = intake.nextDue(now);
  if (decision >= 0) wait = Math.min(wait, decision);
  if (drainUntil) wait = Math.min(wait, 20);
  return wait;
}

function beat(now: number): void {
  if (now - lastBeat < BEAT_EVERY_MS && now >= lastBeat) return;
  lastBeat = now;
  heartbeat[0] = process.hrtime.bigint();
}

function turn(): void {
  const n = epoll.wait(timeout(Date.now()));
  let held = false;
  for (let i = 0; i < n; i++) {
    const tag = epoll.tag(i);
    const generation = epoll.generation(i);
    if (generation !== NOT_A_FLOW) {
      const flow = table.get(tag >>> 1, generation);
      const side = (tag & 1) as Side;
      if (flow?.orphaned[side]) handled.onEvent(flow, side);
      else if (flow) relaying.onEvent(flow, side, epoll.events(i));
    } else if (tag === TAG_TUN) held = true;
    else {
      silence(data.wake);
      for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port))
        onMessage(got.message);
    }
  }
  const now = Date.now();
  beat(now);
  direct.acknowledge(now);
  relaying.settle(now);
  handled.settle(now);
  table.reap();
  // Last, so that a port used again finds its old flow cleaned up.
  // With nothing else to do there is most likely one packet, and a second read would find nothing; if there are more,
  // epoll says so at once.
  if (held || intake.behind) intake.readHeld(now, n === 1 && !intake.behind ? 1 : undefined);
  intake.expire(now);
  if (drainUntil && (table.byKey.size === 0 || now > drainUntil)) {
    for (const flow of [...table.byKey.values()]) table.abort(flow);
    table.reap();
    drainUntil = 0;
    post({ type: 'drained' });
  }
}

epoll.addReadable(data.tun, TAG_TUN, NOT_A_FLOW);
epoll.addReadable(data.wake, TAG_WAKE, NOT_A_FLOW);
heartbeat[0] = process.hrtime.bigint();
post({ type: 'ready' });
while (running) turn();
request.close();
port.close();
