// The control token of this tab, where the server asks for one: asked of the viewer, kept until the tab is closed.

import { byId, setText } from './dom.ts';
import { word } from './words.ts';

const STORED = 'hongbao.controlToken';

/** The headers that show the token; none while there is none. */
export function tokenHeaders(): Record<string, string> {
  const token = sessionStorage.getItem(STORED);
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** Asks for a token in a dialog of the page, and keeps it. Resolves when there is one. */
export function askForToken(): Promise<void> {
  const dialog = byId<HTMLDialogElement>('token');
  const field = byId<HTMLInputElement>('token-field');
  const wasRefused = sessionStorage.getItem(STORED) !== null;
  sessionStorage.removeItem(STORED);
  field.value = '';
  setText(byId('token-said'), wasRefused ? word('tokenRefused') : '');
  if (!dialog.open) dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    // Without a token there is nothing to see: Escape only asks again.
    dialog.onclose = () => dialog.showModal();
    byId<HTMLFormElement>('token-form').onsubmit = (event) => {
      event.preventDefault();
      const token = field.value.trim();
      // What is no token cannot be a header either.
      if (!/^[\w-]{1,200}$/.test(token)) {
        setText(byId('token-said'), word('tokenRefused'));
        return;
      }
      sessionStorage.setItem(STORED, token);
      field.value = '';
      dialog.onclose = null;
      dialog.close();
      resolve();
    };
  });
}
