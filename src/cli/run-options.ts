import { Command, InvalidArgumentError, Option } from 'commander';
import { jsonOption } from './common.js';

/** Names, words and parsers of everything that `run` takes. Commander lets flags beat the environment. */
export function runOptions(): Command {
  return new Command('run')
    .description('intercept on the named interfaces until SIGINT or SIGTERM')
    .addOption(listOption('-i, --interface <if>', 'interface to watch; repeat it', 'DESPLICE_INTERFACES'))
    .addOption(listOption('-p, --ports <ports>', 'destination ports: 80,443,8000-8100', 'DESPLICE_PORTS'))
    .addOption(listOption('--from <cidr>', 'only clients in this network', 'DESPLICE_FROM'))
    .addOption(listOption('--to <cidr>', 'only servers in this network', 'DESPLICE_TO'))
    .addOption(
      new Option('--action <action>', 'relay, forward, peek or handle=MODULE (default: relay)').env(
        'DESPLICE_ACTION',
      ),
    )
    .addOption(new Option('-c, --config <file>', 'configuration file (YAML)').env('DESPLICE_CONFIG'))
    .addOption(
      new Option('--control <path>', 'control socket (default: "/run/desplice.sock")').env(
        'DESPLICE_CONTROL',
      ),
    )
    .addOption(
      new Option('--workers <n>', 'engine threads')
        .env('DESPLICE_WORKERS')
        .argParser(number('workers', 1, true)),
    )
    .addOption(
      new Option(
        '--busy-poll <us>',
        'microseconds that an idle engine thread looks on before it sleeps (default: 50 while events come so quickly)',
      )
        .env('DESPLICE_BUSY_POLL')
        .argParser(number('microseconds', 0, true)),
    )
    .addOption(
      new Option(
        '--drain <seconds>',
        'how long taken flows may take to be released after SIGTERM (default: 5)',
      )
        .env('DESPLICE_DRAIN')
        .argParser(number('seconds', 0, false)),
    )
    .addOption(
      new Option(
        '--keep',
        'relayed flows outlive a killed engine: the next one with --keep goes on with them',
      ).env('DESPLICE_KEEP'),
    )
    .addOption(
      new Option(
        '--replace',
        'take the place of the engine that runs here: its relayed flows go on in this one, and it ends',
      ).env('DESPLICE_REPLACE'),
    )
    .addOption(jsonOption('print one JSON object per line: the events of the engine'))
    .addHelpText(
      'after',
      `
Without -p and -c nothing is intercepted: there is no "everything". Flags beat the environment, the environment
beats the file, the file beats the defaults. SIGHUP reads the file again; a second SIGINT or SIGTERM ends at once.
SIGUSR2 starts the program that is on disk now, with the same arguments and --replace, in place of this one.

Examples:
  desplice run -i eth0 -i eth1 -p 80,443
  desplice run -i eth0 -i eth1 -p 80 --from 192.0.2.0/24 --to 2001:db8::/32
  desplice run -i eth0 -i eth1 -p 8000-8100 --action handle=./my-handler.mjs
  desplice run -c /etc/desplice.yaml --json
  desplice run -c /etc/desplice.yaml --replace      another version, or other arguments, with no flow broken`,
    );
}

function listOption(flags: string, description: string, variable: string): Option {
  return new Option(flags, description)
    .env(variable)
    .argParser((text: string, before: string[] | undefined) => {
      const items = text.split(',').map((item) => item.trim());
      if (items.includes('')) throw new InvalidArgumentError('It has an empty item.');
      return [...(before ?? []), ...items];
    });
}

function number(what: string, least: number, whole: boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (
      text.trim() !== '' &&
      Number.isFinite(value) &&
      value >= least &&
      (!whole || Number.isInteger(value))
    ) {
      return value;
    }
    throw new InvalidArgumentError(
      `Expected a ${whole ? 'whole ' : ''}number of ${what}, at least ${least}.`,
    );
  };
}
