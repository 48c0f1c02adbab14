// Calls of the control API from the page.

import { tokenHeaders } from './token.ts';
import { word } from './words.ts';

/** What the control API answers, as far as the page reads it. */
export type Answer = { ok: true; body: Record<string, unknown> } | { ok: false; message: string };

/** Asks; never throws: whatever goes wrong is a sentence for the viewer. */
export async function request(method: 'POST' | 'PUT', path: string, body: object = {}): Promise<Answer> {
  try {
    const response = await fetch(path, {
      method,
      headers: { 'content-type': 'application/json', ...tokenHeaders() },
      body: JSON.stringify(body),
    });
    const answered = (await response.json()) as Record<string, unknown>;
    if (response.ok) return { ok: true, body: answered };
    return { ok: false, message: `${answered.message} (${answered.code})` };
  } catch {
    return { ok: false, message: word('noAnswer') };
  }
}
