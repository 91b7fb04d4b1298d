import { Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { type Clue, probe } from '../audit/probe.js';
import { jsonOption, printJson } from './common.js';
import { Exit } from './fail.js';

interface Target {
  host: string;
  port: number;
}

export function probeCommand(): Command {
  return new Command('probe')
    .description('what can be told from this end alone, of the path to a server that you do not run')
    .argument('<host:port>', 'where a server listens; IPv6 in brackets', targetOf)
    .addOption(
      new Option('--closed-port <n>', 'a port of it on which nobody listens').argParser((text) =>
        portOf(text),
      ),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Sends about twenty SYNs, at most four a second, and completes no connection. Needs root. Exit code 1: somebody else
than the server answers, certainly or likely.

Examples:
  desplice audit probe www.example.org:443
  desplice audit probe [2001:db8::7]:80 --closed-port 81`,
    )
    .action(async ({ host, port }: Target, { closedPort, json }: { closedPort?: number; json?: boolean }) => {
      const { address, clues } = await probe({ host, port, closedPort });
      if (json) printJson({ version: 1, server: address, port, clues });
      else process.stdout.write(clues.map(lineOf).join(''));
      if (clues.some(({ confidence }) => confidence !== 'nothing found')) throw new Exit(1);
    });
}

const colours = { certain: pc.red, likely: pc.yellow, 'nothing found': pc.dim };

const lineOf = ({ id, confidence, text }: Clue): string =>
  `${colours[confidence](confidence.padEnd(13))}  ${id.padEnd(21)}  ${text}\n`;

function targetOf(text: string): Target {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (!match) throw new InvalidArgumentError('Expected HOST:PORT; an IPv6 address stands in brackets.');
  return { host: (match[1] ?? match[2]) as string, port: portOf(match[3] as string) };
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('Expected a port, 1 to 65535.');
}
