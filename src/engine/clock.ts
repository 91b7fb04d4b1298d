/** Whole milliseconds since this thread began, for deadlines: they must not move when somebody sets the time of day. */
export const monotonic = (): number => Math.floor(performance.now());
