/* SPDX-License-Identifier: Apache-2.0 */
/* ui/icon - drawn here: 16 by 16, one stroke, the colour of the text beside it. Decoration: the word stands beside or in a label. */
const STROKES: Record<string, string> = {
  overview: 'M2 14V7l6-5 6 5v7h-4v-4H6v4z',
  alert: 'M8 2v1M3.5 12h9l-1-2V7a3.5 3.5 0 0 0-7 0v3zM6.5 14h3',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.5 10.5 14 14',
  list: 'M5.5 4H14M5.5 8H14M5.5 12H14M2 4h.5M2 8h.5M2 12h.5',
  unit: 'M6 2h4v3H6zM1.5 11h4v3h-4zM10.5 11h4v3h-4zM8 5v3M3.5 11V8h9v3',
  machine: 'M2 3h12v8H2zM6 14h4M8 11v3',
  source: 'M8 8h.01M5.5 10.5a3.5 3.5 0 0 1 0-5M10.5 5.5a3.5 3.5 0 0 1 0 5M3.5 12.5a6.5 6.5 0 0 1 0-9M12.5 3.5a6.5 6.5 0 0 1 0 9',
  user: 'M8 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM2.5 14c.5-3 2.5-4.5 5.5-4.5s5 1.5 5.5 4.5',
  audit: 'M4 1.5h6L13 4.5v10H4zM6.5 7h4M6.5 9.5h4M6.5 12h3',
  setting: 'M2 4h7M12 4h2M2 8h2M7 8h7M2 12h6M11 12h3M10.5 2.5v3M5.5 6.5v3M9.5 10.5v3',
  portal: 'M2 3h12v10H2zM5 7.5 7 9.5 11 5.5',
  wall: 'M1.5 3h13v8h-13zM5 14h6M4 8.5l2-2 2 1.5 4-3',
  warning: 'M8 2 15 14H1zM8 6.5v3.5M8 12v.5',
  stale: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM8 4.5V8l2.5 1.5',
  lock: 'M3.5 7h9v7h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2M8 10v1.5',
  empty: 'M2 9V4l1.5-2h9L14 4v9H2V9h4c0 1 .5 2 2 2s2-1 2-2h4',
  menu: 'M2 4h12M2 8h12M2 12h12',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  check: 'M2.5 8.5 6.5 12.5 13.5 4',
  chevron: 'M6 3.5 10.5 8 6 12.5',
  down: 'M3.5 6 8 10.5 12.5 6',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  print: 'M4.5 6V2h7v4M4.5 12H2V6h12v6h-2.5M4.5 9.5h7V14h-7z',
  theme: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
  blind: 'M1.5 8S4 4 8 4s6.5 4 6.5 4-2.5 4-6.5 4-6.5-4-6.5-4zM3 13.5 13 2.5',
  plus: 'M8 3v10M3 8h10',
  download: 'M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11',
  phone: 'M4 2h8v12H4zM7 12h2',
  out: 'M9.5 2H3v12h6.5M7 8h7.5M12 5.5 14.5 8 12 10.5',
  keyboard: 'M1.5 4h13v8h-13zM4 6.5h.5M7 6.5h.5M10 6.5h.5M12 6.5h.5M4.5 9.5h7',
};

export function Icon(props: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path
        d={STROKES[props.name] ?? ''}
        fill="none"
        stroke="currentColor"
        stroke-width="1.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}

/* SeverityMark - five shapes that differ without colour: octagon, triangle, diamond, circle, ring. */
const SHAPES: Record<string, string> = {
  critical: 'M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5z',
  high: 'M8 1.5 15 14H1z',
  medium: 'M8 1.5 14.5 8 8 14.5 1.5 8z',
  low: 'M8 3.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9z',
  info: 'M8 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8z',
};

export function SeverityMark(props: { severity: string }) {
  const isRing = props.severity === 'info';
  return (
    <svg class={`mark mark-${props.severity}`} viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false">
      <path
        d={SHAPES[props.severity] ?? SHAPES.info!}
        fill={isRing ? 'none' : 'currentColor'}
        stroke="currentColor"
        stroke-width="1.5"
        stroke-linejoin="round"
      />
      {props.severity === 'critical' && <path d="M8 4.5v4M8 10.8v.6" class="mark-inner" stroke-width="1.8" stroke-linecap="round" />}
    </svg>
  );
}
