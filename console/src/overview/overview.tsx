/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overview/overview - does anything need a person now; what could not be seen; only then figures.
 *
 * The order is the point: a green number is worth nothing before one knows what was not observed.
 */
import type { Overview as Data } from '../api/types';
import type { PageProps } from '../app/lazy';
import { fromServer, to } from '../app/router';
import { tr, trOr } from '../text/catalogue';
import { formatNumber, formatSince, formatTime } from '../text/format';
import { Icon } from '../ui/icon';
import { Figure, Head, Section } from '../ui/page';
import { Shown, useResource } from '../ui/resource';
import { may } from '../app/session';

const REFRESH_MS = 60_000;

export function NeedsPerson(props: { of: Data['needs_person'] }) {
  const waiting = props.of.filter((n) => n.count > 0);
  if (!waiting.length)
    return (
      <p class="calm-line">
        <Icon name="check" />
        {tr('needs_nothing')}
      </p>
    );
  return (
    <ul class="needs">
      {waiting.map((n) => {
        const href = fromServer(n.href);
        const line = (
          <>
            <strong class="needs-count">{formatNumber(n.count)}</strong>
            <span class="needs-what">{trOr('needs_', n.kind)}</span>
            <span class="needs-since">
              {n.oldest_at ? tr('waiting_since', { age: formatSince(n.oldest_at), at: formatTime(n.oldest_at) }) : ''}
            </span>
            {href && <Icon name="chevron" />}
          </>
        );
        return <li key={n.kind}>{href ? <a href={href}>{line}</a> : <div>{line}</div>}</li>;
      })}
    </ul>
  );
}

export function NotObserved(props: { of: Data['not_observed'] }) {
  if (!props.of.length)
    return (
      <p class="calm-line">
        <Icon name="check" />
        {tr('blind_nothing')}
      </p>
    );
  return (
    <ul class="blind">
      {props.of.map((b, i) => {
        const href = fromServer(b.href);
        const line = (
          <>
            <Icon name="blind" />
            <span class="blind-kind">{trOr('blind_', b.kind)}</span>
            <span class="blind-what">{b.what}</span>
            <span class="blind-since">{b.since ? tr('since_age', { age: formatSince(b.since), at: formatTime(b.since) }) : ''}</span>
          </>
        );
        return <li key={i}>{href ? <a href={href}>{line}</a> : <div>{line}</div>}</li>;
      })}
    </ul>
  );
}

export function Overview(_props: PageProps) {
  const data = useResource<Data>('/overview', {}, { everyMs: REFRESH_MS, events: (e) => e.name === 'overview' || e.name === 'alert' });
  return (
    <>
      <Head title={tr('page_overview')} sub={data.data && <span class="muted">{tr('as_of', { at: formatTime(data.data.at) })}</span>}>
        <button type="button" class="button" onClick={() => print()}>
          <Icon name="print" />
          {tr('print')}
        </button>
        {may('alert.read') && (
          <a class="button" href={to('wall')}>
            <Icon name="wall" />
            {tr('page_wall')}
          </a>
        )}
      </Head>
      <Shown of={data} lines={10}>
        {(o) => (
          <div class="overview">
            <Section title={tr('needs_title')} class="section-needs">
              <NeedsPerson of={o.needs_person} />
            </Section>
            <Section title={tr('blind_title')} class="section-blind">
              <NotObserved of={o.not_observed} />
            </Section>
            <Section title={tr('figures_title')} class="section-figures">
              <div class="figures">
                {o.numbers.map((n) => (
                  <Figure key={n.id} label={trOr('number_', n.id)} count={n.count} unit={n.unit} of={n.of} href={fromServer(n.href)} />
                ))}
              </div>
              {o.not_observed.length > 0 && <p class="hint">{tr('figures_caution', { n: formatNumber(o.not_observed.length) })}</p>}
            </Section>
            <Section title={tr('duty_title')} class="section-duty">
              {o.duty.length ? (
                <ul class="duty">
                  {o.duty.map((d) => (
                    <li key={d.place}>
                      <span class="muted">{trOr('duty_', d.place)}</span>
                      <strong>{d.person_name}</strong>
                      <span class="muted">{d.until ? tr('until', { at: formatTime(d.until) }) : ''}</span>
                    </li>
                  ))}
                </ul>
              ) : (
                <p class="warn-line">
                  <Icon name="warning" />
                  {tr('duty_nobody')}
                </p>
              )}
            </Section>
          </div>
        )}
      </Shown>
    </>
  );
}
