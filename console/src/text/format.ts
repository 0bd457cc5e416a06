/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text/format - times, numbers and sizes as Vietnamese officials write them.
 *
 * Times are shown at +07:00 whatever the zone of the machine before the screen: a watch log has one clock.
 * Numbers: 1.052.479 and 3,5 in Vietnamese; 1,052,479 and 3.5 in English.
 */
import { language, tr } from './catalogue';

const ZONE_OFFSET_MS = 7 * 3600_000;
const pad = (n: number) => String(n).padStart(2, '0');

function parts(at: string | number): { day: string; minute: string; second: string } | null {
  const ms = typeof at === 'number' ? at : Date.parse(at);
  if (!Number.isFinite(ms)) return null;
  const d = new Date(ms + ZONE_OFFSET_MS);
  const minute = `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}`;
  return {
    day: `${pad(d.getUTCDate())}/${pad(d.getUTCMonth() + 1)}/${d.getUTCFullYear()}`,
    minute,
    second: `${minute}:${pad(d.getUTCSeconds())}`,
  };
}

export function formatTime(at: string | number | null | undefined): string {
  const p = at == null ? null : parts(at);
  return p ? `${p.day} ${p.minute}` : '–';
}

export function formatSecond(at: string | number | null | undefined): string {
  const p = at == null ? null : parts(at);
  return p ? `${p.day} ${p.second}` : '–';
}

export function formatDay(at: string | number | null | undefined): string {
  const p = at == null ? null : parts(at);
  return p ? p.day : '–';
}

export function formatClock(at: string | number): string {
  return parts(at)?.minute ?? '–';
}

/* formatShort - the minute when it is today, the day as well when it is not: for narrow columns. */
export function formatShort(at: string | number | null | undefined, now = Date.now()): string {
  const p = at == null ? null : parts(at);
  if (!p) return '–';
  const today = parts(now)!;
  if (p.day === today.day) return p.minute;
  return p.day.slice(6) === today.day.slice(6) ? `${p.day.slice(0, 5)} ${p.minute}` : p.day;
}

export function formatNumber(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n)) return '–';
  const [whole, rest] = String(Math.abs(n)).includes('e') ? [String(Math.round(n)), ''] : String(Math.abs(n)).split('.');
  const [group, point] = language.get() === 'vi' ? ['.', ','] : [',', '.'];
  const grouped = (whole ?? '').replace(/\B(?=(\d{3})+(?!\d))/g, group);
  return `${n < 0 ? '−' : ''}${grouped}${rest ? point + rest.slice(0, 2) : ''}`;
}

export function formatPercent(part: number, whole: number): string {
  if (!whole) return '–';
  const pct = (100 * part) / whole;
  const shown = pct >= 99.95 && part < whole ? 99.9 : pct > 0 && pct < 0.1 ? 0.1 : pct; // never "100 %" of what is not whole
  return `${formatNumber(Math.round(shown * 10) / 10)} %`;
}

export function formatBytes(n: number | null | undefined): string {
  if (n == null) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = n;
  let i = 0;
  for (; value >= 1000 && i < units.length - 1; i++) value /= 1000;
  return `${formatNumber(i === 0 ? value : Math.round(value * 10) / 10)} ${units[i]}`;
}

/* formatAge - how long, in the one or two units that matter: "3 phút", "2 giờ 10 phút", "4 ngày". */
export function formatAge(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 1) return tr('age_under_minute');
  if (minutes < 60) return tr('age_minutes', { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? tr('age_hours_minutes', { h: hours, m: minutes % 60 }) : tr('age_hours', { n: hours });
  return tr('age_days', { n: formatNumber(Math.floor(hours / 24)) });
}

export function formatSince(at: string | null | undefined, now = Date.now()): string {
  return at ? formatAge(now - Date.parse(at)) : '–';
}

/* parseTime - "dd/mm/yyyy[ HH:MM]" at +07:00 to RFC 3339 UTC; null: it is not one. */
export function parseTime(text: string): string | null {
  const m = text.trim().match(/^(\d{1,2})\/(\d{1,2})\/(\d{4})(?:[ ,]+(\d{1,2}):(\d{2}))?$/);
  if (!m) return null;
  const [day, month, year, hour, minute] = [Number(m[1]), Number(m[2]), Number(m[3]), Number(m[4] ?? 0), Number(m[5] ?? 0)];
  const ms = Date.UTC(year, month - 1, day, hour, minute) - ZONE_OFFSET_MS;
  const back = new Date(ms + ZONE_OFFSET_MS);
  const isReal = back.getUTCDate() === day && back.getUTCMonth() === month - 1 && hour < 24 && minute < 60;
  return isReal ? new Date(ms).toISOString().replace('.000Z', 'Z') : null;
}
