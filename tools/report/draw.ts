// Draws an option of ECharts as SVG, and SVG as PNG, with a font of our own, so that a picture is the same on every machine.

import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { renderAsync } from '@resvg/resvg-js';
import { type EChartsOption, init } from 'echarts';
import { CHART_HEIGHT, CHART_WIDTH } from './chart-frame.ts';

/** Pixels of a PNG for one of the SVG. */
const PNG_SCALE = 2;

/** In a checkout and in the built package alike. */
export const FONT_FILE = join(
  dirname(findPackageJSON('.', import.meta.url)!),
  'tools/report/font/NotoSansSC-report.otf',
);
const FONT_NAME = 'Noto Sans CJK SC';

/** What ECharts adds for a page with its script. */
const SCRIPT_MARKS = / (?:ecmeta_\w+|class|pointer-events)="[^"]*"|<style >.*?<\/style>\s*/gs;

export function drawSvg(option: EChartsOption): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: CHART_WIDTH, height: CHART_HEIGHT });
  try {
    chart.setOption(option);
    return chart.renderToSVGString().replace(SCRIPT_MARKS, '');
  } finally {
    chart.dispose();
  }
}

export async function drawPng(svg: string): Promise<Buffer> {
  const image = await renderAsync(svg, {
    font: { fontFiles: [FONT_FILE], loadSystemFonts: false, defaultFontFamily: FONT_NAME },
    fitTo: { mode: 'zoom', value: PNG_SCALE },
  });
  return image.asPng();
}
