import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type AuditCase, type Group, groups } from '../audit/case.js';
import { catalogue } from '../audit/catalogue.js';
import { htmlReport } from '../audit/html.js';
import { junitReport } from '../audit/junit.js';
import { AuditError } from '../audit/protocol.js';
import { jsonReport, textReport, verdictLine } from '../audit/report.js';
import { runAudit } from '../audit/runner.js';
import { AuditServer, serveStdio } from '../audit/serve.js';
import { type Command as ControlCommand, commandWay, tcpWay } from '../audit/way.js';
import type { Ports } from '../audit/wiretap.js';
import { type WrapName, wraps } from '../audit/wrap.js';
import { matrixCommand } from './audit-matrix.js';
import { probeCommand } from './audit-probe.js';
import { jsonOption, printJson, readVersion } from './common.js';
import { Exit } from './fail.js';

const defaultControlPort = 7400;
const defaultPorts = '7410-7609';

export function auditCommand(): Command {
  return new Command('audit')
    .description('examine what sits in a path: what it does to TCP, case by case')
    .addCommand(serveCommand())
    .addCommand(runCommand())
    .addCommand(probeCommand())
    .addCommand(matrixCommand())
    .addHelpText(
      'after',
      `
One end serves, the other one runs the cases, and whatever is between them is examined. As root both ends send and
capture packets by hand; without, only the cases that ordinary sockets can do are run.

Examples:
  desplice audit serve                          on one side of the path
  desplice audit run 203.0.113.2                on the other
  desplice audit run 203.0.113.2 --group teardown --json`,
    );
}

function controlPortOption(): Option {
  return new Option('--control-port <n>', 'port of the control connection')
    .default(defaultControlPort)
    .argParser((text) => portOf(text));
}

function serveCommand(): Command {
  return new Command('serve')
    .description('be the other end of an audit until SIGINT or SIGTERM')
    .addOption(new Option('--listen <address>', 'address to listen on (default: all)'))
    .addOption(controlPortOption())
    .addOption(
      new Option('--control <how>', 'stdio: one client, by stdin and stdout, not by TCP').choices(['stdio']),
    )
    .addOption(
      new Option('--ports <range>', 'ports of the cases, at least 16')
        .default(portsOf(defaultPorts), defaultPorts)
        .argParser(portsOf),
    )
    .addHelpText(
      'after',
      `
Prints \`ready\` when it is. One client at a time: whoever reaches the control port can make it listen on --ports, and send
packets from these ports to where the client is. Run it only while you audit.

Examples:
  desplice audit serve
  desplice audit serve --listen 203.0.113.2 --control-port 9000 --ports 9001-9200`,
    )
    .action(serve);
}

interface ServeFlags {
  listen?: string;
  controlPort: number;
  control?: 'stdio';
  ports: Ports;
}

async function serve(options: ServeFlags): Promise<void> {
  const log = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  if (options.control === 'stdio') {
    // What ends it is told to the client; comings and goings would stand in the client's own terminal.
    await serveStdio({ ...options, version: readVersion(), log: () => {} });
    return;
  }
  const server = await AuditServer.start({ ...options, version: readVersion(), log });
  if (server.unprivileged) log(`without privileges, only ordinary sockets: ${server.unprivileged}`);
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  });
  process.stdout.write('ready\n');
  await stopped;
  await server.stop();
}

interface RunFlags {
  controlPort: number;
  control?: ControlCommand;
  json?: boolean;
  timelines?: boolean;
  group?: Group[];
  case?: string[];
  wrap?: WrapName;
  report?: string;
  junit?: string;
}

function runCommand(): Command {
  return new Command('run')
    .description('run the cases against `desplice audit serve`')
    .argument('<address>', 'where it serves')
    .addOption(controlPortOption())
    .addOption(
      new Option(
        '--control <how>',
        'start `audit serve` and talk to it by a command, past the path: ssh=[USER@]HOST or exec=COMMAND',
      ).argParser(controlOf),
    )
    .addOption(jsonOption())
    .addOption(new Option('--timelines', 'with --json: what both ends captured of each case'))
    .addOption(repeated('--group <name>', `only these groups: ${groups.join(', ')}`, groupOf))
    .addOption(repeated('--case <id>', 'only these cases', caseOf))
    .addOption(
      new Option('--wrap <protocol>', 'begin each connection with an upgrade of it').choices([...wraps]),
    )
    .addOption(new Option('--report <file>', 'write a page with the timelines of both ends (HTML)'))
    .addOption(new Option('--junit <file>', 'write the verdicts as JUnit XML'))
    .addHelpText(
      'after',
      `
Exit code 1: something was wrong, or the audit could not be carried out.
--wrap http is for a box that lets only HTTP through: what it does to TCP is seen behind a request to upgrade.

Examples:
  desplice audit run 203.0.113.2
  desplice audit run 2001:db8:2::2 --case half-close-by-client --case reset-by-server
  desplice audit run 203.0.113.2 --report audit.html --json > audit.json
  desplice audit run 203.0.113.2 --control ssh=root@198.51.100.7
  desplice audit run 203.0.113.2 --control 'exec=ssh me@host sudo desplice audit serve --control stdio'`,
    )
    .action(run);
}

async function run(address: string, flags: RunFlags): Promise<void> {
  const cases = chosen(flags);
  if (cases.length === 0) {
    throw new AuditError(
      'USAGE',
      'no case is in the groups that were named',
      'name a group and cases of it, or only one of both',
    );
  }
  const audit = await runAudit({
    way: flags.control ? commandWay(address, flags.control) : tcpWay(address, flags.controlPort),
    version: readVersion(),
    cases,
    wrap: flags.wrap ?? null,
    progress: (result, done, of) => process.stderr.write(`${done}/${of}  ${verdictLine(result)}\n`),
  });
  if (flags.report) save(flags.report, htmlReport(audit, readVersion(), new Date()));
  if (flags.junit) save(flags.junit, junitReport(audit));
  if (flags.json) printJson(jsonReport(audit, { views: flags.timelines }));
  else process.stdout.write(textReport(audit));
  if (audit.broken) throw audit.broken;
  if (audit.results.some(({ verdict }) => verdict === 'wrong')) throw new Exit(1);
}

function save(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AuditError(
      'WRITE',
      `writing ${file}: ${code}`,
      'name a file in a folder that is there and can be written',
    );
  }
}

function chosen({ group, case: ids }: RunFlags): AuditCase[] {
  return catalogue.filter(
    (each) => (!group || group.includes(each.group)) && (!ids || ids.includes(each.id)),
  );
}

function repeated<T>(flags: string, description: string, read: (text: string) => T): Option {
  return new Option(flags, description).argParser((text: string, before: T[] | undefined) => [
    ...(before ?? []),
    read(text),
  ]);
}

function groupOf(text: string): Group {
  const group = groups.find((each) => each === text);
  if (!group) throw new InvalidArgumentError(`There is no such group; there are ${groups.join(', ')}.`);
  return group;
}

function caseOf(text: string): string {
  if (catalogue.some(({ id }) => id === text)) return text;
  const first = text.split('-')[0] ?? '';
  const near = catalogue.map(({ id }) => id).filter((id) => id.includes(first));
  throw new InvalidArgumentError(
    `There is no such case${near.length > 0 ? `; there are ${near.slice(0, 6).join(', ')}` : ''}.`,
  );
}

function controlOf(text: string): ControlCommand {
  const [, how, what = ''] = /^(exec|ssh)=(.+)$/s.exec(text) ?? [];
  if (how === 'exec') return { exec: what };
  if (how === 'ssh' && /^[^-\s]\S*$/.test(what)) return { ssh: what };
  throw new InvalidArgumentError('Expected ssh=[USER@]HOST or exec=COMMAND.');
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('Expected a port, 1 to 65535.');
}

function portsOf(text: string): Ports {
  const [first = Number.NaN, last = Number.NaN] = text
    .split('-')
    .map((each) => (/^\d+$/.test(each) ? Number(each) : Number.NaN));
  if (first >= 1 && last <= 65_535 && last - first >= 15) return { first, last };
  throw new InvalidArgumentError('Expected a range of at least 16 ports, such as 7410-7609.');
}
