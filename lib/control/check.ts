// Holds what came in against a schema, and says in one sentence what is wrong.

import type { z } from 'zod';

/** A request that the schemas refuse. */
export class BadRequest extends Error {
  readonly code = 'bad_request';
}

/** The value as the schema says, or an error with the sentence of the first thing that is wrong. */
export function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue.code === 'unrecognized_keys') throw new BadRequest(`unknown field: ${issue.keys.join(', ')}`);
  if (issue.path.length === 0) throw new BadRequest('the body must be a JSON object');
  throw new BadRequest(issue.message);
}
