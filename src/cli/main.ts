import { Command, Help } from 'commander';
import { readVersion } from './common.js';
import { describeFailure } from './fail.js';

/** Loaded one by one: `desplice stats` must not wait for the engine's modules. In the order of the help. */
const commands: Record<string, () => Promise<Command>> = {
  run: async () => (await import('./run.js')).runCommand(),
  flows: async () => (await import('./flows.js')).flowsCommand(),
  release: async () => (await import('./release.js')).releaseCommand(),
  stats: async () => (await import('./stats.js')).statsCommand(),
  reload: async () => (await import('./reload.js')).reloadCommand(),
  doctor: async () => (await import('./doctor.js')).doctorCommand(),
  clean: async () => (await import('./clean.js')).cleanCommand(),
  lab: async () => (await import('./lab.js')).labCommand(),
  demo: async () => (await import('./demo.js')).demoCommand(),
  audit: async () => (await import('./audit.js')).auditCommand(),
};

const setsThingsUp = new Set(['run', 'demo', 'audit']);

const examples = `
Examples:
  desplice doctor                               see whether this machine can do it
  desplice demo                                 see it at work in network namespaces, nothing of yours is touched
  desplice run -i eth0 -i eth1 -p 80,443        intercept what passes from one interface to the other
  desplice flows                                the flows that are taken now

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.`;

/** Runs one command line (`process.argv` as it is) and sets `process.exitCode`. */
export async function main(argv: string[]): Promise<void> {
  // `desplice flows | head`: the reader went away, which is no failure of ours. What has set things up goes on and takes
  // them down in its own time, unheard.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!setsThingsUp.has(argv[2] ?? '')) process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  process.stderr.on('error', () => {});
  try {
    const program = await buildProgram(argv);
    await program.parseAsync(argv);
  } catch (error) {
    const failure = describeFailure(error);
    process.stderr.write(failure.text);
    process.exitCode = failure.exitCode;
  }
}

async function buildProgram(argv: string[]): Promise<Command> {
  const program = new Command('desplice')
    .description(
      'Transparent TCP interception: step between two hosts after they shook hands with each other.',
    )
    .version(readVersion(), '-V, --version', 'show the version')
    .helpCommand('help [command]', 'show help for a command')
    .helpOption('-h, --help', 'show help')
    .addHelpText('after', examples);
  const wanted = argv[2] ?? '';
  for (const name of Object.hasOwn(commands, wanted) ? [wanted] : Object.keys(commands)) {
    const load = commands[name];
    if (load) program.addCommand(await load());
  }
  prepare(program);
  return program;
}

/** Commander's settings are not inherited by commands that are added ready-made. */
function prepare(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    // One hint line from here for every usage error, in the form that all our errors have.
    outputError: (text, write) => {
      const message = text
        .replace(/^error: /, 'desplice: ')
        .replace(/\n\(Did you mean (.*)\?\)/, ' (did you mean $1?)');
      write(`${message.trimEnd()}\nhint: see \`${fullName(command)} --help\`\n`);
    },
  });
  // Without a command commander shows the help as an error, which is right, but by writeErr.
  command.createHelp = () => Object.assign(new Help(), { helpWidth: 100 });
  for (const child of command.commands) prepare(child);
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}
