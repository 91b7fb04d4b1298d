import pc from 'picocolors';

/** Where the demo writes. Colours come from picocolors, which leaves them out without a terminal and with NO_COLOR. */
export interface Screen {
  heading(text: string): void;
  say(text: string): void;
  block(text: string): void;
  good(text: string): void;
  bad(text: string): void;
  /** Draws over the same line on a terminal; elsewhere prints a line at every quarter. */
  progress(label: string, percent: number): void;
  progressDone(): void;
}

const barWidth = 40;

export function createScreen(out: NodeJS.WriteStream): Screen {
  let step = 0;
  let quarter = 0;
  let open = false;
  return {
    heading: (text) => {
      step += 1;
      out.write(`\n${pc.bold(pc.cyan(`${step}. ${text}`))}\n`);
    },
    say: (text) => {
      out.write(`   ${text}\n`);
    },
    block: (text) => {
      const lines = text.trimEnd().split('\n');
      out.write(`\n${lines.map((line) => (line === '' ? '' : `     ${line}`)).join('\n')}\n\n`);
    },
    good: (text) => {
      out.write(`   ${pc.green('✔')} ${text}\n`);
    },
    bad: (text) => {
      out.write(`   ${pc.red('✘')} ${text}\n`);
    },
    progress: (label, percent) => {
      if (out.isTTY) {
        open = true;
        out.write(`\r   ${label} ${bar(percent)} ${percent.toFixed(0).padStart(3)} %`);
        return;
      }
      const now = Math.floor(percent / 25);
      if (now <= quarter) return;
      quarter = now;
      out.write(`   ${label} ${now * 25} %\n`);
    },
    progressDone: () => {
      if (open) out.write('\n');
      open = false;
      quarter = 0;
    },
  };
}

export function bar(percent: number): string {
  const full = Math.round((Math.min(100, Math.max(0, percent)) / 100) * barWidth);
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`;
}
