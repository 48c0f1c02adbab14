// Text on a terminal: how many columns it takes, cut to a width, and coloured.

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Style = keyof typeof CODES;

/** A piece of a line. */
export interface Span {
  text: string;
  style?: Style;
}

export type Line = readonly (string | Span)[];

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** What is one character to a reader and takes two columns: East Asian wide and full-width forms, and pictures. */
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u;

/** Text that others wrote, as it may be shown: a terminal obeys control characters, and some turn a line around. */
export function cleanText(text: string): string {
  return text.replace(/[\p{C}\u2028\u2029]/gu, '?');
}

/** Columns that a clean text takes. */
export function widthOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

/** The beginning of a clean text that fits. */
export function cutText(text: string, columns: number): string {
  if (/^[ -~]*$/.test(text)) return text.slice(0, Math.max(0, columns));
  let width = 0;
  let cut = '';
  for (const { segment } of graphemes.segment(text)) {
    width += widthOfGrapheme(segment);
    if (width > columns) break;
    cut += segment;
  }
  return cut;
}

/** A line as it is written: clean, cut to the columns, and with colours if they are wanted. */
export function renderLine(line: Line, columns: number, isColored: boolean): string {
  let room = columns;
  let rendered = '';
  for (const span of line) {
    const { text, style } = typeof span === 'string' ? { text: span } : span;
    const clean = cleanText(text);
    const cut = cutText(clean, room);
    room -= widthOf(cut);
    rendered += isColored && style !== undefined && cut !== '' ? `\x1b[${CODES[style]}m${cut}\x1b[0m` : cut;
    if (cut.length < clean.length) break;
  }
  return rendered;
}

function widthOfGrapheme(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return /^\p{M}/u.test(grapheme) ? 0 : 1;
}
