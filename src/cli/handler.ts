import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Flow, Interception } from '../index.js';
import { parseCidr } from '../policy/cidr.js';
import { UsageError } from '../policy/errors.js';
import { type CompiledRule, matchRule } from '../policy/rules.js';
import type { Reporter } from './reporter.js';

/** The default export of the module of `handle=MODULE`. */
export type FlowHandler = (flow: Flow) => void | Promise<void>;

/** The rules that are in force, and the handlers that they name. */
export interface Handlers {
  rules: readonly CompiledRule[];
  byModule: ReadonlyMap<string, FlowHandler>;
}

/** Loads every module that the rules name, so that a wrong one stops the start or the reload, not a flow. */
export async function loadHandlers(rules: readonly CompiledRule[]): Promise<Handlers> {
  const byModule = new Map<string, FlowHandler>();
  for (const { action, module } of rules) {
    if (action !== 'handle' || byModule.has(module ?? '')) continue;
    if (module === null) {
      throw new UsageError('the action handle names no module', 'write handle=MODULE');
    }
    byModule.set(module, await loadHandler(module));
  }
  return { rules, byModule };
}

async function loadHandler(name: string): Promise<FlowHandler> {
  const path = resolve(name);
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    throw new UsageError(
      `loading the handler module ${path}: ${(error as Error).message}`,
      'name a JavaScript module (.mjs, or .js in a package of type module) with handle=MODULE',
    );
  }
  if (typeof module.default !== 'function') {
    throw new UsageError(
      `the handler module ${path} has no function as its default export`,
      'write `export default async function (flow) { … }`',
    );
  }
  return module.default as FlowHandler;
}

/** Calls the handler for every flow, side by side. `current` is asked again for each: a reload changes it. */
export async function consume(
  interception: Interception,
  current: () => Handlers,
  reporter: Reporter,
): Promise<void> {
  for await (const flow of interception) void handleOne(flow, current(), reporter);
}

async function handleOne(flow: Flow, handlers: Handlers, reporter: Reporter): Promise<void> {
  try {
    const handler = findHandler(flow, handlers);
    // Its rule went with a reload between the takeover and now.
    if (handler) await handler(flow);
    else await flow.relay();
  } catch (error) {
    // A handler that fails costs its own flow, never the engine.
    flow.reset();
    const why = error instanceof Error ? error.message : String(error);
    const message = `the handler failed on flow ${flow.id}, which is reset: ${why}`;
    reporter.log({ level: 'error', event: 'handlerFailed', message });
  }
}

function findHandler(flow: Flow, { rules, byModule }: Handlers): FlowHandler | undefined {
  const client = parseCidr(flow.clientAddress.address).bytes;
  const server = parseCidr(flow.serverAddress.address).bytes;
  const module = matchRule(rules, client, server, flow.serverAddress.port)?.module;
  return module ? byModule.get(module) : undefined;
}
