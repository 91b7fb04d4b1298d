/** A scenario in one of the two labs, from the first call to the last trace. */
import type { FlowInfo } from '../../../src/flow/stats.js';
import { connectionsTo } from '../../../src/timeline/connection.js';
import type { Packet } from '../../../src/timeline/packet.js';
import { LabelNames, type Timeline, timelineOf } from '../../../src/timeline/timeline.js';
import { Host } from './host.js';
import { Middle } from './middle.js';
import type { EngineStats, Path } from './path.js';
import { RawHost } from './raw.js';
import type { Scenario } from './scenario.js';
import { Transcript } from './transcript.js';

const scenarioMs = 30_000;
const ends = ['client', 'server'] as const;
type EndName = (typeof ends)[number];

/** States in which a kernel still waits for the other end to answer. */
const passing = /^(FIN-WAIT-1|CLOSING|LAST-ACK|SYN-RECV)/m;

export class Play {
  readonly transcript = new Transcript();
  /** Why the script itself could not go on. */
  stopped: string | undefined;
  /** What the engine counted for this scenario; undefined without an engine. */
  counted: Record<string, number> = {};
  /** Sockets, flows and errors in the middle when all was over. */
  leftovers: string[] = [];
  readonly #middle: Middle;
  readonly #hosts: Record<EndName, Host>;
  readonly #raw: Record<EndName, RawHost>;
  readonly #packets: Record<EndName, Packet[]> = { client: [], server: [] };
  #before: EngineStats | undefined;
  #markers = 0;

  constructor(
    readonly path: Path,
    readonly scenario: Scenario,
    readonly family: 4 | 6,
    readonly port: number,
  ) {
    const { addresses } = path.lab;
    this.#middle = new Middle(path.agents.middle, port, path.engine !== undefined);
    const own = {
      client: family === 4 ? addresses.client4 : addresses.client6,
      server: family === 4 ? addresses.server4 : addresses.server6,
    };
    const other = { client: 'server', server: 'client' } as const;
    const place = (end: EndName) => ({
      end,
      agent: path.agents[end],
      middle: path.agents.middle,
      transcript: this.transcript,
      family,
      port,
      peer: own[other[end]],
      rawPeer: path.raw[other[end]][family],
    });
    const host = (end: EndName) => new Host({ ...place(end), address: own[end] });
    const raw = (end: EndName) =>
      new RawHost({ ...place(end), ...path.raw[end], address: path.raw[end][family] });
    this.#hosts = { client: host('client'), server: host('server') };
    this.#raw = { client: raw('client'), server: raw('server') };
  }

  async run(): Promise<void> {
    if (this.path.engine) this.#before = await this.path.stats();
    // What the scenario before has learned of the path, and what came late of it, is not ours.
    await Promise.all(Object.values(this.path.agents).map((agent) => agent.call('forgetPaths')));
    await this.read();
    for (const end of ends) this.#packets[end].length = 0;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${scenarioMs / 1000} s`)), scenarioMs);
    });
    try {
      await Promise.race([this.scenario.run(this.#ends()), late]);
    } catch (error) {
      this.stopped = error instanceof Error ? error.message : String(error);
      this.transcript.note('scenario', 'went', `no further: ${this.stopped}`);
    } finally {
      clearTimeout(timer);
      // Nothing more is captured, nor asked, without one.
      for (const end of ends) await this.#hosts[end].link.up();
    }
    await this.#settle();
  }

  #ends() {
    return {
      client: this.#hosts.client,
      server: this.#hosts.server,
      rawClient: this.#raw.client,
      rawServer: this.#raw.server,
      middle: this.#middle,
      family: this.family,
      check: (what: string, truth: boolean) => {
        this.transcript.note('scenario', `check: ${what}`, String(truth));
        if (!truth && !this.path.engine) this.stopped ??= `it is not true that ${what}`;
      },
    };
  }

  /** Until both kernels have said their last word, or a second has passed. */
  async #settle(): Promise<void> {
    const deadline = Date.now() + 1000;
    let before = '';
    while (Date.now() < deadline) {
      const states = await this.states();
      if (states === before && !passing.test(states)) return;
      before = states;
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }

  /** What `ss` says at both ends, without ports that the kernel chose. */
  async states(): Promise<string> {
    const [client, server] = await Promise.all(ends.map((end) => this.#sockets(end)));
    return [...(client ?? []), ...(server ?? [])].join('\n');
  }

  async #sockets(end: EndName): Promise<string[]> {
    const text = await this.path.agents[end].call<string>(
      'sockets',
      this.port,
      end === 'client' ? 'dport' : 'sport',
    );
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('LISTEN'));
    // State, bytes unread, bytes unacknowledged.
    return lines
      .map((line) => line.split(/\s+/))
      .map(
        ([state, unread, unsent]) =>
          `${state} at the ${end}, ${unread} bytes unread, ${unsent} unacknowledged`,
      )
      .sort();
  }

  /** Takes from the captures what has come since the last time. */
  async read(): Promise<void> {
    const { addresses } = this.path.lab;
    const gateway = { client: addresses.middleToClient4, server: addresses.middleToServer4 };
    await Promise.all(
      ends.map(async (end) => {
        const text = `${this.port} ${this.family} ${this.#markers++}`;
        await this.path.agents[end].call('marker', gateway[end], text);
        this.#packets[end].push(...(await this.path.captures[end].until(text)));
      }),
    );
  }

  timelines(): Record<EndName, Timeline[]> {
    const labels = new LabelNames();
    const { randomOptions } = this.scenario;
    const shown = (end: EndName) =>
      randomOptions ? this.#packets[end].map(withoutValues) : this.#packets[end];
    const of = (end: EndName) =>
      connectionsTo(this.port, shown(end)).map((each) => timelineOf(each, labels, this.#disorder));
    return { client: of('client'), server: of('server') };
  }

  /** Less than the second after which a SYN-ACK is sent again, more than the time after which lost data is. */
  get #disorder(): { disorderMs: number } {
    const { client, server } = this.scenario.path?.path ?? {};
    return { disorderMs: client?.reorder || server?.reorder ? 500 : 0 };
  }

  /** An end whose capture has shown nothing would be the same as anything. */
  unseen(): string | undefined {
    const { client, server } = this.timelines();
    if (client.length > 0 && server.length > 0) return undefined;
    return `nothing of it was captured at the ${client.length === 0 ? 'client' : 'server'}`;
  }

  async clean(): Promise<void> {
    await Promise.all(ends.map((end) => this.#raw[end].clean()));
    await Promise.all([...ends.map((end) => this.#hosts[end].clean()), this.#middle.clean()]);
    if (!this.#before) return;
    await this.#engineDone();
    this.counted = gains(this.#before, await this.path.stats());
  }

  async #engineDone(): Promise<void> {
    const deadline = Date.now() + 7000;
    for (;;) {
      const [flows, sockets] = await Promise.all([
        this.path.flows(),
        this.path.agents.middle.call<string>('sockets', this.port, 'sport', 'dport'),
      ]);
      const mine = flows.filter(({ server }: FlowInfo) => server.endsWith(`:${this.port}`));
      this.leftovers = [
        ...mine.map(({ id, state }) => `flow ${id} (${state})`),
        ...sockets.split('\n').filter((line) => line !== ''),
      ];
      if (this.leftovers.length === 0 || Date.now() > deadline) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Foreign options by their kinds alone. */
function withoutValues(packet: Packet): Packet {
  const { content } = packet;
  if (content.kind !== 'tcp') return packet;
  const optionTexts = content.optionTexts.map((text) => text.replace(/^(option \d+) .*/, '$1'));
  return { ...packet, content: { ...content, optionTexts } };
}

/** Counters that went up, by their names: `flows.intercepted`, `forwarded.ecn`. */
export function gains(before: object, after: object, prefix = ''): Record<string, number> {
  const all: Record<string, number> = {};
  for (const [key, value] of Object.entries(after)) {
    const old = (before as Record<string, unknown>)[key];
    if (typeof value === 'object' && value)
      Object.assign(all, gains((old as object) ?? {}, value, `${prefix}${key}.`));
    else if (typeof value === 'number' && value !== ((old as number | undefined) ?? 0)) {
      all[`${prefix}${key}`] = value - ((old as number | undefined) ?? 0);
    }
  }
  return all;
}
