// The upright axes of charts: one of numbers from 0 on, and one of logarithms.

import type { YAXisComponentOption } from 'echarts';
import { formatAxisNumber } from './axis.ts';
import { axisStyle, INK } from './chart-frame.ts';

/** How far the name is from the axis: beyond the longest number. */
const NAME_GAP = 66;

/** @param locale of the numbers, such as en-US */
export function linearAxis(name: string, locale: string): YAXisComponentOption {
  return {
    ...valueAxis(name),
    min: 0,
    boundaryGap: [0, '2%'],
    axisLabel: { fontSize: 12, color: INK, formatter: (value: number) => formatAxisNumber(value, locale) },
  };
}

/**
 * An axis of logarithms to base 10, which stands for the values: so ticks may be at 1, 2 and 5.
 * @param ticks values; the axis goes from the first to the last
 */
export function logAxis(name: string, locale: string, ticks: readonly number[]): YAXisComponentOption {
  const logs = ticks.map(Math.log10);
  return {
    ...valueAxis(name),
    min: logs[0],
    max: logs[logs.length - 1],
    axisTick: { show: true, customValues: logs },
    axisLabel: {
      fontSize: 12,
      color: INK,
      customValues: logs,
      formatter: (log: number) => formatAxisNumber(Number((10 ** log).toPrecision(6)), locale),
    },
  };
}

function valueAxis(name: string) {
  return { ...axisStyle(), type: 'value', name, nameLocation: 'middle', nameGap: NAME_GAP } as const;
}
