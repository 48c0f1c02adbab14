// Calls the control API of a running server for the commands that need it.

import { UsageError } from './usage-error.ts';

/** The option that says where the control API is; the same for every command that calls it. */
export const controlOption = {
  control: {
    type: 'string',
    default: 'http://127.0.0.1:8989',
    describe: 'where the control API of the server is',
  },
} as const;

/** Calls the API and gives the JSON it answers. @throws {UsageError} when it cannot be reached, or says no */
export async function callControl(
  base: string,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: object,
): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(new URL(path, base), {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  } catch (error) {
    const cause = (error as Error).cause ?? error;
    const reason =
      cause instanceof Error && cause.message !== '' ? cause.message : String((cause as { code?: string }).code);
    throw new UsageError(`cannot reach the control API at ${base}: ${reason}; is it running?`);
  }
  const answer = (await response.json().catch(() => ({}))) as { message?: string };
  if (!response.ok) throw new UsageError(answer.message ?? `${path} answered ${response.status}`);
  return answer;
}

/** Prints a JSON answer for people and for programs alike. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
