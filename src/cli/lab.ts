import { Argument, Command, Option } from 'commander';
import {
  defaultPrefix,
  type Lab,
  LabError,
  labDown,
  labFind,
  labList,
  labUp,
  picture,
  type Role,
  roles,
  type Topology,
  topologies,
} from '../lab/index.js';
import { jsonOption, printJson } from './common.js';
import { conditionLines, type PathFlags, pathExamples, pathOf, pathOptions } from './lab-path.js';

interface LabFlags {
  prefix: string;
  json?: boolean;
}
interface UpFlags extends LabFlags, PathFlags {
  aliases?: string;
}

export function labCommand(): Command {
  return new Command('lab')
    .description('network-namespace topologies: a client, a middle and a server on this machine')
    .addCommand(upCommand())
    .addCommand(downCommand())
    .addCommand(execCommand())
    .addCommand(listCommand())
    .addHelpText(
      'after',
      `
Examples:
  desplice lab up
  desplice lab up inline --delay 50ms --loss 1%
  desplice lab exec middle -- desplice run -i toclient -i toserver -p 80
  desplice lab exec client -- curl http://198.51.100.2/
  desplice lab down`,
    );
}

function prefixOption(): Option {
  return new Option('--prefix <name>', 'what the names of the namespaces begin with').default(defaultPrefix);
}

function upCommand(): Command {
  const command = new Command('up')
    .description('make a lab; one of the same prefix is taken down first')
    .addArgument(new Argument('[topology]', 'who passes by whom').choices(topologies).default('inline'))
    .addOption(prefixOption())
    .addOption(new Option('--aliases <n>', 'so many further IPv4 addresses for the server'))
    .addOption(jsonOption());
  for (const option of pathOptions()) command.addOption(option);
  return command
    .addHelpText('after', pathExamples)
    .action((topology: Topology, { prefix, json, aliases, ...flags }: UpFlags) => {
      const serverAliases = aliases === undefined ? 0 : Number(aliases);
      const lab = labUp(topology, { prefix, serverAliases, path: pathOf(flags) });
      if (json) printJson(describe(lab));
      else process.stdout.write(explain(lab));
    });
}

function downCommand(): Command {
  return new Command('down')
    .description('remove a lab and end the programs in it')
    .addOption(prefixOption())
    .action(({ prefix }: LabFlags) => {
      const removed = labDown(prefix);
      for (const name of removed) process.stdout.write(`removed ${name}\n`);
      if (removed.length === 0) process.stdout.write(`there is no lab ${prefix}\n`);
    });
}

function execCommand(): Command {
  return new Command('exec')
    .description('run a program in a lab and return its exit code')
    .addArgument(new Argument('<role>', 'where').choices(roles))
    .argument('<command...>', 'the program and its arguments, behind --')
    .addOption(prefixOption())
    .action(async (role: Role, command: string[], { prefix }: LabFlags) => {
      const lab = labFind(prefix);
      if (!lab) throw new LabError('LAB', `there is no lab ${prefix}`, 'make one with `desplice lab up`');
      process.exitCode = await passThrough(lab, role, command);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('show the labs that are up')
    .addOption(jsonOption())
    .action(({ json }: LabFlags) => {
      const labs = labList();
      if (json) printJson(labs);
      else if (labs.length === 0) process.stdout.write('no lab is up\n');
      else
        for (const lab of labs) {
          process.stdout.write(`${lab.prefix}  ${lab.topology}  ${lab.namespaces.join(' ')}\n`);
          for (const line of conditionLines(lab.path, lab.dead)) process.stdout.write(`    ${line}\n`);
        }
    });
}

/** A terminal's signals reach the program by its process group; those for this process alone are passed on. */
function passThrough(lab: Lab, role: Role, command: string[]): Promise<number> {
  const child = lab.spawn(role, command, { stdio: 'inherit' });
  const pass = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', pass).on('SIGTERM', pass);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', pass).off('SIGTERM', pass);
      // As a shell reports it, without the number of each signal: 130 is what our own exit codes know.
      resolve(code ?? (signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 137));
    });
  });
}

function describe(lab: Lab): object {
  const namespaces: Partial<Record<Role, string>> = {};
  for (const role of lab.roles) namespaces[role] = lab.namespace(role);
  return {
    prefix: lab.prefix,
    topology: lab.topology,
    namespaces,
    interfaces: lab.interfaces,
    addresses: lab.addresses,
    ...(lab.path ? { path: lab.path } : {}),
  };
}

function explain(lab: Lab): string {
  const { addresses, interfaces } = lab;
  const flag = lab.prefix === defaultPrefix ? '' : ` --prefix ${lab.prefix}`;
  const conditions = conditionLines(lab.path);
  const aliases = addresses.serverAliases;
  const more = aliases.length > 0 ? `\nThe server also has ${aliases[0]} to ${aliases.at(-1)}.` : '';
  const how =
    lab.topology === 'inline'
      ? 'All that they say to each other passes the middle.'
      : 'What the client says passes the middle; the answers come round it, by the bypass.';
  return `The lab \`${lab.prefix}\` is up: ${lab.client} and ${lab.server}, with ${lab.middle} between them.
${how}${more}

${picture(lab)}
${conditions.length > 0 ? `${conditions.join('\n')}\n\n` : ''}Intercept:  desplice lab exec${flag} middle -- desplice run -i ${interfaces.clientSide} -i ${interfaces.serverSide} -p 80
Remove it:  desplice lab down${flag}
`;
}
