/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wall/wall - the screen in the duty room: read from five metres, touched by nobody. With a token in its address it needs no session;
 * the token is taken out of the address at once. When the line is lost it says so larger than everything else.
 */
import { useEffect, useState } from 'preact/hooks';
import { lostSince, setToken } from '../api/client';
import { startEvents, stopEvents } from '../api/events';
import type { Overview } from '../api/types';
import type { PageProps } from '../app/lazy';
import { go } from '../app/router';
import { useStore } from '../app/store';
import { tr, trOr } from '../text/catalogue';
import { formatClock, formatDay, formatNumber, formatPercent, formatSince, formatTime } from '../text/format';
import { Icon } from '../ui/icon';
import { Shown, useResource } from '../ui/resource';

const REFRESH_MS = 20_000;
const WEEKDAYS = 7;

function Clock() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const weekday = new Date(now + 7 * 3600_000).getUTCDay() % WEEKDAYS;
  return (
    <p class="wall-clock">
      <strong>{formatClock(now)}</strong>{' '}
      <span>
        {tr(`weekday_${weekday}`)}, {formatDay(now)}
      </span>
    </p>
  );
}

export function Wall({ route }: PageProps) {
  const [token, setOwn] = useState<string | null>(null);
  const given = route.query.get('token');
  const isReady = given === null || token !== null;
  useEffect(() => {
    if (given === null) return;
    setToken(given);
    setOwn(given);
    startEvents();
    document.title = `${tr('page_wall')} · Vọng Gác`;
    return () => {
      setToken(null);
      stopEvents();
    };
  }, [given]);
  const data = useResource<Overview>(
    isReady ? '/overview' : null,
    {},
    { everyMs: REFRESH_MS, events: (e) => e.name === 'overview' || e.name === 'alert' },
  );
  const lost = useStore(lostSince);
  return (
    <main class="wall" id="main">
      <header class="wall-head">
        <h1>{tr('page_wall')}</h1>
        <Clock />
        {given === null && (
          <button type="button" class="button no-print" onClick={() => go('#/overview')}>
            {tr('wall_leave')}
          </button>
        )}
      </header>
      {lost !== null && (
        <p class="wall-lost" role="alert">
          {tr('wall_lost', { at: formatTime(lost) })}
        </p>
      )}
      <Shown of={data} lines={8}>
        {(o) => {
          const waiting = o.needs_person.filter((n) => n.count > 0);
          return (
            <>
              <section class={waiting.length ? 'wall-needs' : 'wall-needs is-calm'}>
                <h2>{tr('needs_title')}</h2>
                {waiting.length === 0 ? (
                  <p class="wall-calm">
                    <Icon name="check" />
                    {tr('needs_nothing')}
                  </p>
                ) : (
                  <ul>
                    {waiting.map((n) => (
                      <li key={n.kind}>
                        <strong>{formatNumber(n.count)}</strong>
                        <span>
                          {trOr('needs_', n.kind)}
                          <small>{n.oldest_at ? tr('wall_waiting', { age: formatSince(n.oldest_at) }) : ''}</small>
                        </span>
                      </li>
                    ))}
                  </ul>
                )}
              </section>
              <section class="wall-blind">
                <h2>{tr('blind_title')}</h2>
                {o.not_observed.length === 0 ? (
                  <p class="wall-calm">
                    <Icon name="check" />
                    {tr('blind_nothing')}
                  </p>
                ) : (
                  <ul>
                    {o.not_observed.slice(0, 5).map((b, i) => (
                      <li key={i}>
                        <Icon name="blind" />
                        <span>
                          {trOr('blind_', b.kind)}: {b.what}
                          <small>{b.since ? formatSince(b.since) : ''}</small>
                        </span>
                      </li>
                    ))}
                  </ul>
                )}
              </section>
              <section class="wall-figures">
                {o.numbers.slice(0, 4).map((n) => (
                  <p key={n.id}>
                    <span>{trOr('number_', n.id)}</span>
                    <strong>{formatNumber(n.count)}</strong>
                    <span>
                      {trOr('count_unit_', n.unit)}
                      {n.of ? ` · ${formatPercent(n.count, n.of)}` : ''}
                    </span>
                  </p>
                ))}
              </section>
              <section class="wall-duty">
                {o.duty.length === 0 ? (
                  <p class="warn-line">
                    <Icon name="warning" />
                    {tr('duty_nobody')}
                  </p>
                ) : (
                  o.duty.map((d) => (
                    <p key={d.place}>
                      <span>{trOr('duty_', d.place)}</span>
                      <strong>{d.person_name}</strong>
                    </p>
                  ))
                )}
              </section>
              <p class="wall-at">{tr('as_of', { at: formatTime(o.at) })}</p>
            </>
          );
        }}
      </Shown>
    </main>
  );
}
