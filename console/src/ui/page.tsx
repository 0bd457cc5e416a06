/* SPDX-License-Identifier: Apache-2.0 */
/* ui/page - head of a page, facts in two columns, a figure with its unit and denominator. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { formatNumber, formatPercent } from '../text/format';
import { tr, trOr } from '../text/catalogue';

/* The head takes the focus when a page opens, so that a screen reader says where one is and Tab goes on from there. */
export function Head(props: {
  title: string;
  back?: { href: string; text: string };
  sub?: ComponentChildren;
  children?: ComponentChildren;
}) {
  const h1 = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${props.title} · Vọng Gác`;
  }, [props.title]);
  useEffect(() => {
    if (document.activeElement === document.body || document.activeElement?.closest('nav')) h1.current?.focus({ preventScroll: true });
  }, []);
  return (
    <header class="page-head">
      <div class="page-title">
        {props.back && (
          <a class="back" href={props.back.href}>
            ‹ {props.back.text}
          </a>
        )}
        <h1 tabIndex={-1} ref={h1}>
          {props.title}
        </h1>
        {props.sub && <div class="page-sub">{props.sub}</div>}
      </div>
      {props.children && <div class="page-actions">{props.children}</div>}
    </header>
  );
}

export function Section(props: { title: string; id?: string; actions?: ComponentChildren; class?: string; children: ComponentChildren }) {
  return (
    <section class={`section ${props.class ?? ''}`} id={props.id}>
      <div class="section-head">
        <h2>{props.title}</h2>
        {props.actions}
      </div>
      {props.children}
    </section>
  );
}

export function Facts(props: { of: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {props.of
        .filter(([, v]) => v !== null && v !== undefined && v !== false && v !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/* Figure - a number that says what it counts, of how many, and opens to its records. */
export function Figure(props: {
  label: string;
  count: number;
  unit: string;
  of?: number | null; // undefined: there is none to name
  href: string | null;
  tone?: 'bad' | 'wait' | 'good' | 'calm';
}) {
  const inside = (
    <>
      <span class="figure-label">{props.label}</span>
      <span class="figure-line">
        <strong>{formatNumber(props.count)}</strong> <span class="figure-unit">{trOr('count_unit_', props.unit)}</span>
      </span>
      {props.of !== undefined && (
        <span class="figure-of">
          {props.of === null
            ? tr('of_unknown')
            : tr('of_all', {
                of: formatNumber(props.of),
                unit: trOr('count_unit_', props.unit),
                pct: formatPercent(props.count, props.of),
              })}
        </span>
      )}
    </>
  );
  const name = `figure figure-${props.tone ?? 'calm'}`;
  return props.href ? (
    <a class={name} href={props.href}>
      {inside}
    </a>
  ) : (
    <div class={name}>{inside}</div>
  );
}

export function Tabs(props: { label: string; of: { href: string; text: string; isOn: boolean; count?: number | null }[] }) {
  return (
    <nav class="tabs" aria-label={props.label}>
      {props.of.map((t) => (
        <a key={t.href} href={t.href} aria-current={t.isOn ? 'page' : undefined}>
          {t.text}
          {t.count != null && <span class="tab-count">{formatNumber(t.count)}</span>}
        </a>
      ))}
    </nav>
  );
}
