// Places the labels of a run's marks above a chart, so that none covers another and none is cut off.

import type { RunMark } from '../../lib/monitor/run-log.ts';
import { FONT_CHARACTERS } from './words.ts';

/** Rows that labels may take above the chart. */
const MOST_ROWS = 3;

/** Characters of a label at the most; the page has the whole text. */
const MOST_CHARACTERS = 32;

/** Marks this far outside of the samples are drawn at their edge: the first sample comes up to two seconds late. */
const NEAR_SECONDS = 2;

/** Pixels between a line and its label, and between two labels of a row. */
const LABEL_GAP = 4;
const ROW_GAP = 10;

/** Widths in em of the widest characters, wide enough for the font of the charts. */
const LATIN_EM = 0.6;
const CHINESE_EM = 1;

export const MARK_FONT_PIXELS = 11;

/** Where things may be, in pixels, and how long the axis is. */
export interface MarkSpace {
  firstSecond: number;
  lengthSeconds: number;
  left: number;
  right: number;
}

export interface MarkLabel {
  /** Of the line. */
  x: number;
  /** Of the label, which is to the right of `labelX`; empty when there was no room for one. */
  text: string;
  labelX: number;
  /** 0 is the topmost. */
  row: number;
}

export interface MarkLayout {
  labels: MarkLabel[];
  rows: number;
}

/**
 * The marks that lie on the axis, in order. One whose text cannot be drawn has its number in the list of the page instead;
 * all have, when the texts do not fit.
 * @param marks all of the run, in order
 */
export function placeMarks(marks: readonly RunMark[], space: MarkSpace): MarkLayout {
  const { firstSecond, lengthSeconds, left, right } = space;
  const placed = marks.flatMap(({ atMs, text }, i) => {
    const at = atMs / 1000 - firstSecond;
    if (!(at >= -NEAR_SECONDS && at <= lengthSeconds + NEAR_SECONDS)) return [];
    const x = left + (Math.min(Math.max(at, 0), lengthSeconds) / lengthSeconds) * (right - left);
    const number = String(i + 1);
    return [{ x, text: shorten(text) || number, number }];
  });
  const withTexts = placeLabels(placed, right);
  const isRoomy = withTexts.labels.every(({ text }) => text !== '');
  return isRoomy
    ? withTexts
    : placeLabels(
        placed.map(({ x, number }) => ({ x, text: number })),
        right,
      );
}

/** About how many pixels a text is wide, rather more than less. */
export function measureText(text: string, fontPixels: number): number {
  let em = 0;
  for (const character of text) em += character.codePointAt(0)! < 0x2e80 ? LATIN_EM : CHINESE_EM;
  return em * fontPixels;
}

/** As much as fits; nothing when it has a character that the font has not. */
function shorten(text: string): string {
  const characters = Array.from(text);
  if (!characters.every((character) => FONT_CHARACTERS.includes(character))) return '';
  return characters.length > MOST_CHARACTERS ? `${characters.slice(0, MOST_CHARACTERS - 3).join('')}...` : text;
}

function placeLabels(wanted: readonly { x: number; text: string }[], right: number): MarkLayout {
  const rows: { from: number; to: number }[][] = [];
  const labels = wanted.map(({ x, text }) => {
    const width = measureText(text, MARK_FONT_PIXELS);
    const labelX = x + LABEL_GAP + width <= right ? x + LABEL_GAP : x - LABEL_GAP - width;
    const from = Math.min(x, labelX);
    const to = Math.max(x, labelX + width);
    const isFree = (row: number) =>
      (rows[row] ?? []).every((taken) => from > taken.to + ROW_GAP || to + ROW_GAP < taken.from);
    const row = Array.from({ length: MOST_ROWS }, (_, i) => i).find(isFree);
    if (row === undefined) return { x, text: '', labelX, row: 0 };
    rows[row] ??= [];
    rows[row].push({ from, to });
    return { x, text, labelX, row };
  });
  return { labels, rows: rows.length };
}
