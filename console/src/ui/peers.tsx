/* SPDX-License-Identifier: Apache-2.0 */
/* ui/peers - who talked with whom: one of ours on the left, the others on the right, a thicker line for more bytes. Drawn here as SVG. */
import { useState } from 'preact/hooks';
import { formatNumber } from '../text/format';
import { tr } from '../text/catalogue';

interface Peer {
  name: string;
  note: string;
  weight: number;
  href: string | null;
}

const ROW_PX = 30;
const FIRST_SHOWN = 12;
const WIDTH = 640;
const LEFT = 170;
const RIGHT = 330;

export function Peers(props: { entity: string; sub: string; peers: Peer[] }) {
  const [areAll, setAll] = useState(false);
  const sorted = [...props.peers].sort((a, b) => b.weight - a.weight);
  const shown = areAll ? sorted : sorted.slice(0, FIRST_SHOWN);
  const most = Math.max(1, ...shown.map((p) => p.weight));
  const height = Math.max(2, shown.length) * ROW_PX + 8;
  const middle = height / 2;
  const thick = (w: number) => 1 + 9 * Math.sqrt(w / most);
  return (
    <div class="peers">
      <svg
        viewBox={`0 0 ${WIDTH} ${height}`}
        role="group"
        aria-label={tr('peers_label', { entity: props.entity, n: formatNumber(props.peers.length) })}
      >
        {shown.map((p, i) => {
          const y = i * ROW_PX + ROW_PX / 2 + 4;
          return (
            <path
              key={p.name}
              class="peer-line"
              d={`M${LEFT} ${middle} C${LEFT + 80} ${middle} ${RIGHT - 80} ${y} ${RIGHT} ${y}`}
              stroke-width={thick(p.weight)}
            />
          );
        })}
        <rect class="peer-own" x="1" y={middle - 20} width={LEFT - 1} height="40" rx="4" />
        <text class="peer-name" x="12" y={props.sub ? middle - 2 : middle + 5}>
          {props.entity.length > 22 ? `${props.entity.slice(0, 21)}…` : props.entity}
        </text>
        {props.sub && (
          <text class="peer-note" x="12" y={middle + 13}>
            {props.sub}
          </text>
        )}
        {shown.map((p, i) => {
          const y = i * ROW_PX + ROW_PX / 2 + 4;
          const inside = (
            <>
              <rect class="peer-hit" x={RIGHT - 6} y={y - 14} width={WIDTH - RIGHT + 5} height="28" rx="4" />
              <circle class="peer-dot" cx={RIGHT} cy={y} r="4" />
              <text class="peer-name" x={RIGHT + 12} y={y - 1}>
                {p.name}
              </text>{' '}
              <text class="peer-note" x={RIGHT + 12} y={y + 12}>
                {p.note}
              </text>
            </>
          );
          return p.href ? (
            <a key={p.name} href={p.href} class="peer-link">
              {inside}
            </a>
          ) : (
            <g key={p.name}>{inside}</g>
          );
        })}
      </svg>
      {sorted.length > FIRST_SHOWN && (
        <button type="button" class="link" onClick={() => setAll(!areAll)}>
          {areAll ? tr('peers_fewer') : tr('peers_all', { n: formatNumber(sorted.length) })}
        </button>
      )}
    </div>
  );
}
