/** So much of a connection is looked at, and so long, before it is decided on what is known by then. */
export const peekLimit = 64 * 1024;
export const peekTimeoutMs = 3000;
