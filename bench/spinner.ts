/**
 * Counts what a core has left over. Run as `chrt -i 0 taskset -c CORE node spinner.js FROM UNTIL` (milliseconds since the
 * epoch): SCHED_IDLE runs only when nothing else wants the core, so what it can't count was used by others. Unlike
 * /proc/stat that sees interrupts and softirqs to the microsecond, whoever they are charged to.
 */
const from = Number(process.argv[2]);
const until = Number(process.argv[3]);

let value = 1;
function chunk(): void {
  for (let i = 0; i < 2000; i += 1) value = (Math.imul(value, 1664525) + 1013904223) | 0;
}

// Compiled before it counts: the first milliseconds run interpreted.
const started = Date.now();
while (Date.now() < from) chunk();
let chunks = 0;
while (Date.now() < until) {
  chunk();
  chunks += 1;
}
process.stdout.write(`${JSON.stringify({ chunks, started, value })}\n`);
