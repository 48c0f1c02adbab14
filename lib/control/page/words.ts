// The language of the page: which one, and its words.

import { TEXTS, type TextKey } from './texts.ts';

export type Language = 'en' | 'zh';

const STORED = 'hongbao.language';

let current: Language = storedLanguage();

/** The language of the page: the one chosen before, or else the browser's. */
export function language(): Language {
  return current;
}

/** Changes the language, and remembers it. */
export function chooseLanguage(chosen: Language): void {
  current = chosen;
  localStorage.setItem(STORED, chosen);
}

/** A text in the language of the page; `{name}` in it becomes `values.name`. */
export function word(key: TextKey, values: Record<string, string | number> = {}): string {
  const text = TEXTS[key][current === 'en' ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The word for what a server calls `name`, such as a state; the name itself where there is none. */
export function wordFor(prefix: string, name: string): string {
  const key = `${prefix}.${name}`;
  return Object.hasOwn(TEXTS, key) ? word(key as TextKey) : name;
}

/** Puts the words into the page: the text of [data-word], the label of [data-label-word]. */
export function translatePage(): void {
  document.documentElement.lang = current === 'en' ? 'en' : 'zh-CN';
  document.title = word('title');
  for (const element of document.querySelectorAll<HTMLElement>('[data-word]')) {
    element.textContent = word(element.dataset.word as TextKey);
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-label-word]')) {
    element.setAttribute('aria-label', word(element.dataset.labelWord as TextKey));
  }
}

function storedLanguage(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored === 'en' || stored === 'zh') return stored;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}
