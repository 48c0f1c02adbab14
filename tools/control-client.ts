// Calls the control API of a running server for the commands that need it.

import { UsageError } from './usage-error.ts';

/** The option that says where the control API is; the same for every command that calls it. */
export const controlOption = {
  control: {
    type: 'string',
    default: 'http://127.0.0.1:8989',
    describe: 'where the control API of the server is',
  },
  'control-token': {
    type: 'string',
    describe:
      'token of the control API, where it asks for one; better in HONGBAO_CONTROL_TOKEN, which ps does not show',
  },
} as const;

/** Where a control API is, and what it asks for. */
export interface ControlBase {
  url: string;
  token: string;
}

/** The token of a command line, or of the environment; '' for none. */
export function controlTokenOf({ controlToken }: { controlToken?: string | undefined }): string {
  return (controlToken ?? process.env.HONGBAO_CONTROL_TOKEN ?? '').trim();
}

/** What the options of a command say of the control API. */
export function controlOf(args: { control: string; controlToken?: string | undefined }): ControlBase {
  return { url: args.control, token: controlTokenOf(args) };
}

/** The headers that show a token; none for ''. */
export function bearer(token: string): Record<string, string> {
  return token === '' ? {} : { authorization: `Bearer ${token}` };
}

/** Calls the API and gives the JSON it answers. @throws {UsageError} when it cannot be reached, says no, or is no control API */
export async function callControl(
  control: string | ControlBase,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: object,
): Promise<unknown> {
  const { url: base, token } = typeof control === 'string' ? { url: control, token: '' } : control;
  let response: Response;
  try {
    response = await fetch(new URL(path, base), {
      method,
      headers: { ...bearer(token), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    const cause = (error as Error).cause ?? error;
    const reason =
      cause instanceof Error && cause.message !== '' ? cause.message : String((cause as { code?: string }).code);
    throw new UsageError(`cannot reach the control API at ${base}: ${reason}; is it running?`);
  }
  const answer = (await response.json().catch(() => undefined)) as { message?: string } | undefined;
  if (!response.ok) throw new UsageError(answer?.message ?? `${path} answered ${response.status}`);
  if (answer === undefined) throw new UsageError(`${path} answered something that is not JSON: is ${base} a server?`);
  return answer;
}

/** Prints a JSON answer for people and for programs alike. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
