// The question before something that cannot be undone.

import { byId, setText } from './dom.ts';

/** Asks in a dialog of the page; Escape is a no. */
export function confirmInPage(question: string): Promise<boolean> {
  const dialog = byId<HTMLDialogElement>('confirm');
  setText(byId('confirm-question'), question);
  dialog.returnValue = '';
  byId('confirm-yes').onclick = () => dialog.close('yes');
  byId('confirm-no').onclick = () => dialog.close();
  dialog.showModal();
  byId('confirm-no').focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
