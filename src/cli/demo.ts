import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { ControlError } from '../control/error.js';
import type { Running } from '../demo/place.js';
import { createScreen, type Screen } from '../demo/screen.js';
import { compare, largeOne, type Stage, smallOnes, startEngine, startServer } from '../demo/story.js';
import { type Lab, labDown, labUp, picture } from '../lab/index.js';
import { Exit } from './fail.js';

const prefix = 'desplice-demo';
const control = '/run/desplice-demo.sock';
const tools = { ip: 'iproute2', ss: 'iproute2', nginx: 'nginx-light', curl: 'curl', tcpdump: 'tcpdump' };

export function demoCommand(): Command {
  return new Command('demo')
    .description('the whole thing on this machine, explained as it runs')
    .option('--keep', 'leave it up at the end, and say what to type next')
    .addHelpText(
      'after',
      `
Needs root. Everything happens in network namespaces of its own and is taken down again, also after Ctrl-C; nothing
leaves this machine. Exit code 1: something was not as it should be.

Examples:
  desplice demo
  make demo KEEP=1`,
    )
    .action(demo);
}

async function demo({ keep = false }: { keep?: boolean }): Promise<void> {
  checkNeeds();
  const screen = createScreen(process.stdout);
  const running: Running[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'desplice-demo-'));
  let interrupt: (signal: NodeJS.Signals) => void = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(new Exit(130));
  });
  interrupted.catch(() => {});
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  let kept = false;
  try {
    const story = tell(screen, running, folder);
    // When an interrupt wins, what the story was waiting for is torn down under it.
    story.catch(() => {});
    const good = await Promise.race([story, interrupted]);
    kept = keep;
    if (kept) sayWhatNext(screen, folder);
    if (!good) throw new Exit(1);
  } finally {
    screen.progressDone();
    if (kept) for (const { child } of running) child.unref();
    else await takeDown(screen, running, folder);
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

async function tell(screen: Screen, running: Running[], folder: string): Promise<boolean> {
  screen.heading('A network of three namespaces on this machine');
  const lab = labUp('inline', { prefix });
  const stage = stageOf(lab, folder, running);
  screen.block(picture(lab));
  await pause();

  screen.heading('A web server at one end: nginx');
  await startServer(stage);
  screen.say('It runs in the server namespace; the middle is a plain router so far.');

  screen.heading('The engine in the middle');
  await startEngine(stage);
  screen.say(`desplice run ${stage.middleInterfaces.map((name) => `-i ${name}`).join(' ')} -p 80`);
  screen.say('It watches handshakes pass, untouched, and steps in at the first byte of data.');

  screen.heading('Small requests from the other end: curl, by IPv4 and by IPv6');
  const small = await smallOnes(stage);
  screen.say(`${small.fetched.length} requests answered.`);

  screen.heading('A large download');
  screen.say(
    'The server holds it down to 80 MB a second, so that there is time to look at it from the middle.',
  );
  const large = await largeOne(stage, screen);

  screen.heading('Side by side');
  return await compare(stage, screen, small, large);
}

function stageOf(lab: Lab, folder: string, running: Running[]): Stage {
  const enter = (name: string): string[] => ['ip', 'netns', 'exec', name];
  return {
    client: enter(lab.client),
    middle: enter(lab.middle),
    server: enter(lab.server),
    serverAddresses: [lab.addresses.server4, lab.addresses.server6],
    middleInterfaces: [lab.interfaces.clientSide, lab.interfaces.serverSide],
    folder,
    control,
    running,
    desplice: [process.execPath, fileURLToPath(new URL('../../bin/desplice', import.meta.url))],
  };
}

async function takeDown(screen: Screen, running: Running[], folder: string): Promise<void> {
  screen.heading('Down');
  // Last first: a download that still runs, then the engine, while its interfaces are there, then nginx.
  for (const each of running.reverse()) await each.stop();
  const gone = labDown(prefix);
  rmSync(folder, { recursive: true, force: true });
  screen.say(
    `Engine and server stopped; removed ${gone.length > 0 ? gone.join(', ') : 'nothing, none was up'}.`,
  );
}

function sayWhatNext(screen: Screen, folder: string): void {
  screen.heading('It stays up; type next');
  screen.block(`ip netns exec ${prefix}-client curl http://198.51.100.2/hello
ip netns exec ${prefix}-client curl -o /dev/null http://198.51.100.2/large
bin/desplice flows --control ${control}
bin/desplice stats --control ${control}
ip netns exec ${prefix}-middle ss -tnie
cat ${folder}/access.log`);
  screen.say('and at the end, which stops engine and server and removes the namespaces:');
  screen.block(`bin/desplice lab down --prefix ${prefix} && rm -r ${folder}`);
}

function checkNeeds(): void {
  if (process.getuid?.() !== 0) {
    throw new ControlError('DEMO', 'the demo makes network namespaces, which needs root', 'sudo make demo');
  }
  const missing = Object.entries(tools).filter(
    ([name]) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  );
  if (missing.length === 0) return;
  const names = missing.map(([name]) => name).join(', ');
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  throw new ControlError('DEMO', `the demo lacks ${names}`, `apt-get install ${packages}, or make demo`);
}

/** Time to read the picture; only for somebody who watches. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, process.stdout.isTTY ? 1500 : 0));
}
