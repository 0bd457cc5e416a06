/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search/hunt - hunting with a record: what was supposed, over what it was looked, what came of it, who signs for it.
 *
 * The job gives coverage and rows; a record is made of a job that is done. A record that is signed does not change any more.
 */
import { useState } from 'preact/hooks';
import { call, exportHref, patch, post } from '../api/client';
import type { HuntRecord, Job, List, Page } from '../api/types';
import { go, to } from '../app/router';
import { may } from '../app/session';
import { tr } from '../text/catalogue';
import { formatNumber, formatTime } from '../text/format';
import { State, Tlp } from '../ui/badge';
import { AreaField, CheckField, FaultSummary, Submit, TextField, useSend } from '../ui/form';
import { Facts, Head, Section } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { RowsTable } from '../ui/rows';
import { Empty } from '../ui/states';
import { ExportLinks, Table } from '../ui/table';
import { say } from '../ui/toast';
import { isOver, useJob, type Watched } from './job';
import { CoverageLine, Progress, Window } from './parts';

export function Hunts() {
  const list = useList<HuntRecord>('/hunt-records');
  return (
    <>
      <p class="buttons">
        <a class="button button-main" href={to('search', 'hunts', 'new')}>
          {tr('hunt_new')}
        </a>
      </p>
      <Shown of={list}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('hunts_empty')} hint={tr('hunts_empty_hint')} />
          ) : (
            <Table
              caption={tr('hunts')}
              rows={list.items}
              rowKey={(h) => h.id}
              unit={tr('unit_hunts')}
              total={list.total}
              next={list.next}
              onMore={() => void list.loadMore()}
              columns={[
                {
                  id: 'title',
                  title: tr('hunt_title'),
                  isMain: true,
                  isWide: true,
                  cell: (h) => (
                    <a class="row-link" href={to('search', 'hunts', h.id)}>
                      {h.title}
                    </a>
                  ),
                  by: (h) => h.title,
                },
                { id: 'found', title: tr('hunt_found'), isNumber: true, cell: (h) => formatNumber(h.n_rows), by: (h) => h.n_rows },
                { id: 'at', title: tr('time'), isNumber: true, cell: (h) => formatTime(h.at), by: (h) => h.at },
                { id: 'by', title: tr('hunt_by'), cell: (h) => h.person.name, by: (h) => h.person.name },
                {
                  id: 'signed',
                  title: tr('hunt_signed_by'),
                  cell: (h) => (h.signed_by ? h.signed_by.name : <State of="unsigned" prefix="hunt_state_" tone="wait" />),
                  by: (h) => h.signed_by?.name ?? null,
                },
              ]}
            />
          )
        }
      </Shown>
    </>
  );
}

export function HuntNew({ query }: { query: URLSearchParams }) {
  const lists = useResource<Page<List>>(may('list.read') ? '/lists' : null);
  const [chosen, setChosen] = useState<Set<string>>(new Set(query.getAll('list')));
  const [addresses, setAddresses] = useState(query.get('addresses') ?? '');
  const [hypothesis, setHypothesis] = useState('');
  const [span, setSpan] = useState<{ since: string | null; until: string | null }>({ since: null, until: null });
  const { isSending, problem, send, faults } = useSend();
  const toggle = (name: string) => {
    const s = new Set(chosen);
    if (!s.delete(name)) s.add(name);
    setChosen(s);
  };
  const submit = async (e: Event) => {
    e.preventDefault();
    const what = addresses.trim() ? { addresses: addresses.trim() } : { lists: [...chosen] };
    const purpose = hypothesis.trim();
    const done = await send(
      async () =>
        (
          await post<Job>('/hunts', {
            ...what,
            ...(span.since ? { since: span.since } : {}),
            ...(span.until ? { until: span.until } : {}),
            ...(purpose ? { purpose } : {}),
          })
        ).data,
    );
    if (done) go(to('search', 'hunts', 'job', done.id, { hypothesis: purpose }));
  };
  return (
    <>
      <Head title={tr('hunt_new')} back={{ href: to('search', 'hunts'), text: tr('hunts') }} />
      <form class="narrow" onSubmit={submit}>
        <FaultSummary problem={problem} />
        <AreaField
          label={tr('hunt_hypothesis')}
          name="purpose"
          hint={tr('hunt_hypothesis_hint')}
          value={hypothesis}
          onValue={setHypothesis}
          fault={faults.purpose}
          rows={2}
        />
        {may('list.read') && (
          <fieldset class="choices">
            <legend>{tr('hunt_lists')}</legend>
            <Shown of={lists} lines={3}>
              {(p) => (
                <>
                  {p.items.map((l) => (
                    <CheckField
                      key={l.name}
                      label={`${l.name} (${formatNumber(l.entries)})`}
                      isOn={chosen.has(l.name)}
                      onChange={() => toggle(l.name)}
                    />
                  ))}
                  <p class="hint">{p.items.length ? tr('hunt_lists_hint') : tr('lists_empty')}</p>
                </>
              )}
            </Shown>
          </fieldset>
        )}
        <AreaField
          label={tr('hunt_addresses')}
          name="addresses"
          hint={tr('hunt_addresses_hint')}
          value={addresses}
          onValue={setAddresses}
          fault={faults.addresses}
          rows={4}
        />
        <div class="filters">
          <Window since={span.since} until={span.until} onChange={(since, until) => setSpan({ since, until })} />
        </div>
        <Submit isSending={isSending}>{tr('hunt_run')}</Submit>
      </form>
    </>
  );
}

function Found({ of }: { of: Watched }) {
  const { job } = of;
  return (
    <>
      <Progress of={of} />
      {job &&
        isOver(job) &&
        job.state === 'done' &&
        (of.rows.length ? (
          <RowsTable rows={of.rows} caption={tr('hunt_found')} next={of.next} onMore={() => void of.more()} total={job.n_rows ?? null} />
        ) : (
          <Empty title={tr('hunt_nothing')} hint={tr('search_nothing_hint')} />
        ))}
    </>
  );
}

function NewRecord(props: { job: Job; hypothesis: string }) {
  const [title, setTitle] = useState('');
  const [hypothesis, setHypothesis] = useState(props.hypothesis);
  const [conclusion, setConclusion] = useState('');
  const { isSending, problem, send, faults } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    const body = {
      job: props.job.id,
      title: title.trim(),
      hypothesis: hypothesis.trim(),
      ...(conclusion.trim() ? { conclusion: conclusion.trim() } : {}),
    };
    const done = await send(async () => (await post<{ id: number }>('/hunt-records', body)).data);
    if (done) go(to('search', 'hunts', done.id));
  };
  return (
    <form onSubmit={submit}>
      <FaultSummary problem={problem} />
      <TextField label={tr('hunt_title')} name="title" value={title} onValue={setTitle} fault={faults.title} required maxLength={300} />
      <AreaField
        label={tr('hunt_hypothesis')}
        name="hypothesis"
        value={hypothesis}
        onValue={setHypothesis}
        fault={faults.hypothesis}
        rows={2}
        required
      />
      <AreaField
        label={tr('hunt_conclusion')}
        name="conclusion"
        hint={tr('hunt_conclusion_hint')}
        value={conclusion}
        onValue={setConclusion}
        fault={faults.conclusion}
      />
      <Submit isSending={isSending}>{tr('hunt_record_add')}</Submit>
    </form>
  );
}

/* A hunt that runs or has just run, before it has a record. */
export function HuntJob({ id, query }: { id: number; query: URLSearchParams }) {
  const answer = useJob(id);
  const { job } = answer;
  return (
    <>
      <Head title={query.get('hypothesis') || tr('hunt_number', { id })} back={{ href: to('search', 'hunts'), text: tr('hunts') }} />
      {job && isOver(job) && <CoverageLine of={job.coverage} job={job} />}
      {job?.warnings && job.warnings.length > 0 && (
        <p class="warn-line">{tr('hunt_refused_lines', { n: formatNumber(job.warnings.length) })}</p>
      )}
      <Section
        title={tr('hunt_found')}
        actions={job?.state === 'done' && <ExportLinks formats={['csv', 'jsonl']} href={(f) => exportHref(`/jobs/${id}/rows`, {}, f)} />}
      >
        <Found of={answer} />
      </Section>
      {job?.state === 'done' && (
        <Section title={tr('hunt_record')}>
          <NewRecord job={job} hypothesis={query.get('hypothesis') ?? ''} />
        </Section>
      )}
    </>
  );
}

function RecordForm(props: { record: HuntRecord; version: number; onFresh: () => void }) {
  const { record } = props;
  const [hypothesis, setHypothesis] = useState(record.hypothesis ?? '');
  const [conclusion, setConclusion] = useState(record.conclusion ?? '');
  const { isSending, problem, send, faults } = useSend();
  const save = async (e: Event) => {
    e.preventDefault();
    const done = await send(() =>
      patch(`/hunt-records/${record.id}`, { hypothesis: hypothesis.trim(), conclusion: conclusion.trim() }, props.version),
    );
    if (!done) return;
    props.onFresh();
    say(tr('saved'));
  };
  const sign = async () => {
    const done = await send(() => call('POST', `/hunt-records/${record.id}/sign`, { body: {}, version: props.version }));
    if (!done) return;
    props.onFresh();
    say(tr('hunt_signed'));
  };
  return (
    <form onSubmit={save}>
      <FaultSummary problem={problem} />
      <AreaField
        label={tr('hunt_hypothesis')}
        name="hypothesis"
        value={hypothesis}
        onValue={setHypothesis}
        fault={faults.hypothesis}
        rows={2}
        required
      />
      <AreaField
        label={tr('hunt_conclusion')}
        name="conclusion"
        hint={tr('hunt_conclusion_hint')}
        value={conclusion}
        onValue={setConclusion}
        fault={faults.conclusion}
        required
      />
      <p class="buttons">
        <Submit isSending={isSending}>{tr('save')}</Submit>
        {may('report.sign') && (
          <button type="button" class="button" disabled={isSending || !record.conclusion} onClick={() => void sign()}>
            {tr('hunt_sign')}
          </button>
        )}
      </p>
      {!record.conclusion && <p class="hint">{tr('hunt_sign_hint')}</p>}
    </form>
  );
}

export function HuntDetail({ id }: { id: number }) {
  const record = useResource<HuntRecord>(`/hunt-records/${id}`);
  const answer = useJob(record.data?.job?.id ?? null);
  return (
    <Shown of={record} lines={8} isPage>
      {(h) => (
        <>
          <Head
            title={h.title}
            back={{ href: to('search', 'hunts'), text: tr('hunts') }}
            sub={
              <>
                <span class="muted">
                  {formatTime(h.at)} · {h.person.name} · {h.unit_name}
                </span>
                <Tlp of={h.tlp} />
                <State of={h.signed_at ? 'signed' : 'unsigned'} prefix="hunt_state_" tone={h.signed_at ? 'good' : 'wait'} />
              </>
            }
          >
            <button type="button" class="button" onClick={() => print()}>
              {tr('print')}
            </button>
          </Head>
          <Section title={tr('hunt_record')}>
            {h.job?.text && <Facts of={[[tr('hunt_scope'), h.job.text]]} />}
            <CoverageLine of={h.job?.coverage ?? null} job={h.job ?? null} />
            {h.signed_at ? (
              <Facts
                of={[
                  [tr('hunt_hypothesis'), h.hypothesis],
                  [tr('hunt_conclusion'), h.conclusion],
                  [tr('hunt_signed_by'), `${h.signed_by?.name ?? '–'}, ${formatTime(h.signed_at)}`],
                ]}
              />
            ) : (
              <RecordForm key={h.version} record={h} version={record.version ?? h.version} onFresh={record.reload} />
            )}
          </Section>
          <Section
            title={`${tr('hunt_found')}: ${formatNumber(h.n_rows)} ${tr('unit_rows')}`}
            actions={
              answer.job?.state === 'done' && (
                <ExportLinks formats={['csv', 'jsonl']} href={(f) => exportHref(`/jobs/${h.job!.id}/rows`, {}, f)} />
              )
            }
          >
            {answer.problem ? <Empty title={tr('hunt_rows_gone')} hint={tr('hunt_rows_gone_hint')} /> : <Found of={answer} />}
          </Section>
        </>
      )}
    </Shown>
  );
}
