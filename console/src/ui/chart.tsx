/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ui/chart - a series over time by uPlot, with the same numbers as a table for those who cannot see it.
 *
 * A value that was not measured is a gap, never a zero.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type uPlotType from 'uplot';
import type { Series as Data } from '../api/types';
import { isDark } from '../app/theme';
import { useStore } from '../app/store';
import { tr } from '../text/catalogue';
import { formatClock, formatDay, formatNumber, formatTime } from '../text/format';

const HEIGHT_PX = 180;
const TABLE_ROWS_MAX = 500;

interface Props {
  of: Data;
  label: string;
  kind?: 'line' | 'bars';
  onSelect?: (since: string, until: string) => void;
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(props: Props, width: number, UPlot: typeof uPlotType): uPlotType.Options {
  const line = colour('--line');
  const text = colour('--text-2');
  const bars = UPlot.paths.bars?.({ size: [0.85, 40] });
  const axis = {
    stroke: text,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    font: '11px system-ui, sans-serif',
  };
  const labels = (_u: uPlotType, splits: number[]) => {
    const span = (splits[splits.length - 1] ?? 0) - (splits[0] ?? 0);
    return splits.map((s) => (span > 2 * 86_400 ? formatDay(s * 1000).slice(0, 5) : formatClock(s * 1000)));
  };
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, setScale: !props.onSelect } },
    scales: { x: { time: false }, y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.1)] } },
    series: [
      {},
      {
        stroke: colour('--accent'),
        fill: colour('--accent-soft'),
        width: 1.5,
        spanGaps: false,
        points: { show: false },
        ...(props.kind === 'bars' && bars ? { paths: bars } : {}),
      },
    ],
    axes: [
      {
        ...axis,
        values: labels,
        size: 26,
        space: 64,
        incrs: [60, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000],
      },
      { ...axis, values: (_u, splits) => splits.map((s) => formatNumber(s)), size: 62, space: 34 },
    ],
    hooks: props.onSelect
      ? {
          setSelect: [
            (u) => {
              if (u.select.width < 4) return;
              const iso = (px: number) => new Date(u.posToVal(px, 'x') * 1000).toISOString();
              props.onSelect!(iso(u.select.left), iso(u.select.left + u.select.width));
            },
          ],
        }
      : {},
  };
}

export function Series(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const dark = useStore(isDark);
  const [isTable, setTable] = useState(false);
  const [at, setAt] = useState<string>('');
  const start = Date.parse(props.of.from ?? props.of.start ?? '') / 1000;
  const times = props.of.values.map((_, i) => start + i * props.of.step_s);
  const known = props.of.values.filter((v): v is number => v !== null);
  const most = known.length ? Math.max(...known) : 0;

  useEffect(() => {
    const place = box.current;
    if (!place || isTable) return;
    let plot: uPlotType | null = null;
    let isGone = false;
    let watcher: ResizeObserver | null = null;
    void import('uplot').then(({ default: UPlot }) => {
      if (isGone) return;
      const made = options(props, place.clientWidth || 600, UPlot);
      made.hooks = {
        ...made.hooks,
        setCursor: [
          (u) => {
            const i = u.cursor.idx;
            const v = i == null ? null : props.of.values[i];
            setAt(i == null ? '' : `${formatTime(times[i]! * 1000)}: ${v == null ? tr('not_measured') : formatNumber(v)}`);
          },
        ],
      };
      plot = new UPlot(made, [times, props.of.values as number[]], place);
      watcher = new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: HEIGHT_PX }));
      watcher.observe(place);
    });
    return () => {
      isGone = true;
      watcher?.disconnect();
      plot?.destroy();
    };
  }, [props.of, dark, isTable]);

  return (
    <figure class="chart">
      <figcaption>
        <span>{props.label}</span>
        <span class="chart-at">{at || tr('chart_most', { n: formatNumber(most) })}</span>
        <button type="button" class="link no-print" onClick={() => setTable(!isTable)}>
          {isTable ? tr('chart_as_chart') : tr('chart_as_table')}
        </button>
      </figcaption>
      {isTable ? (
        <div class="table-scroll chart-table" tabIndex={0} role="region" aria-label={props.label}>
          <table class="compact">
            <thead>
              <tr>
                <th scope="col">{tr('time')}</th>
                <th scope="col" class="is-number">
                  {tr('value')}
                </th>
              </tr>
            </thead>
            <tbody>
              {props.of.values.slice(0, TABLE_ROWS_MAX).map((v, i) => (
                <tr key={i}>
                  <td>{formatTime(times[i]! * 1000)}</td>
                  <td class="is-number">{v === null ? tr('not_measured') : formatNumber(v)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div ref={box} class="chart-box" role="img" aria-label={`${props.label}. ${tr('chart_most', { n: formatNumber(most) })}`} />
      )}
    </figure>
  );
}
