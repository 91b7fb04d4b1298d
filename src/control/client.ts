import http from 'node:http';
import { ControlError } from './error.js';

/** Where an engine listens unless it was told otherwise. */
export const defaultControlPath = '/run/desplice.sock';

const timeoutMilliseconds = 10_000;

/** Asks the engine that listens at `path`; resolves to the parsed JSON of its answer. */
export function callControl<T>(
  path: string,
  method: 'GET' | 'POST',
  url: string,
  patience = timeoutMilliseconds,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { socketPath: path, method, path: url, headers: { host: 'desplice' }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', (error) => reject(explain(path, error)));
        response.on('end', () => {
          try {
            resolve(parse<T>(path, url, response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8')));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    request.setTimeout(patience, () => {
      request.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
    });
    request.on('error', (error) => reject(explain(path, error)));
    request.end();
  });
}

function parse<T>(path: string, url: string, status: number, text: string): T {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ControlError(
      'CONTROL',
      `asking the engine at ${path} for ${url}: the answer (status ${status}) is no JSON`,
      'is it a control socket of desplice?',
    );
  }
  if (status === 200) return body as T;
  const { code, error, hint } = body as { code?: string; error?: string; hint?: string };
  throw new ControlError(code ?? 'CONTROL', error ?? `asking the engine at ${path}: status ${status}`, hint);
}

function explain(path: string, error: NodeJS.ErrnoException): ControlError {
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new ControlError(
        'NO_ENGINE',
        `no engine is listening at ${path}`,
        'start one with `desplice run`, or name its socket with --control PATH',
      );
    case 'EACCES':
    case 'EPERM':
      return new ControlError(
        'CONTROL',
        `connecting to the engine at ${path}: permission denied`,
        'the socket belongs to the user who started the engine; try with sudo',
      );
    case 'ETIMEDOUT':
      return new ControlError(
        'CONTROL',
        `asking the engine at ${path}: no answer for ${timeoutMilliseconds / 1000} seconds`,
        'the engine is stuck or stopped; look at its log',
      );
    default:
      return new ControlError('CONTROL', `asking the engine at ${path}: ${error.message}`);
  }
}
