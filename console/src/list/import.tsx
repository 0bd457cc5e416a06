/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list/import - a file becomes a version: looked at first (what was kept, what was refused and why, row by row), published after. Nothing
 * changes before the second step.
 */
import { useState } from 'preact/hooks';
import { call } from '../api/client';
import type { ListReport } from '../api/types';
import { go, to } from '../app/router';
import { tr, trOr } from '../text/catalogue';
import { formatNumber, formatPercent } from '../text/format';
import { FaultSummary, SelectField, Submit, TextField, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Facts, Head, Section } from '../ui/page';
import { Table } from '../ui/table';
import { say } from '../ui/toast';

const FILE_BYTES_MAX = 64 * 1024 * 1024;

function Refused({ of }: { of: ListReport }) {
  const counts = new Map<string, number>();
  for (const r of of.refused_rows) counts.set(r.reason, (counts.get(r.reason) ?? 0) + 1);
  return (
    <>
      <Facts
        of={[
          [tr('import_rows'), formatNumber(of.rows)],
          [tr('import_kept'), `${formatNumber(of.kept)} (${formatPercent(of.kept, of.rows)})`],
          [tr('import_refused'), formatNumber(of.refused)],
          [tr('list_entries'), formatNumber(of.entries)],
        ]}
      />
      {of.rows !== of.kept + of.refused && (
        <p class="hint">{tr('import_other_rows', { n: formatNumber(of.rows - of.kept - of.refused) })}</p>
      )}
      {of.refused_rows.length > 0 && (
        <>
          <h3>{tr('import_refused_rows')}</h3>
          <p class="muted">{[...counts].map(([reason, n]) => `${trOr('refusal_', reason)}: ${formatNumber(n)}`).join(' · ')}</p>
          <Table
            caption={tr('import_refused_rows')}
            rows={of.refused_rows}
            rowKey={(r) => `${r.row} ${r.value}`}
            unit={tr('unit_rows_of_file')}
            total={of.refused}
            columns={[
              { id: 'row', title: tr('row'), isNumber: true, by: (r) => r.row, cell: (r) => formatNumber(r.row) },
              { id: 'value', title: tr('value'), isMain: true, isWide: true, cell: (r) => r.value || '–' },
              { id: 'reason', title: tr('reason'), by: (r) => r.reason, cell: (r) => trOr('refusal_', r.reason) },
              { id: 'expected', title: tr('import_expected'), cell: (r) => r.expected || '–' },
            ]}
          />
        </>
      )}
      {of.warned_rows.length > 0 && (
        <>
          <h3>{tr('import_warned_rows')}</h3>
          <ul>
            {of.warned_rows.slice(0, 50).map((r) => (
              <li key={`${r.row}${r.reason}`}>
                {tr('import_warned', { row: formatNumber(r.row), value: r.value, reason: trOr('refusal_', r.reason) })}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

export function ListImport(props: { name: string }) {
  const [name, setName] = useState(props.name);
  const [file, setFile] = useState<File | null>(null);
  const [about, setAbout] = useState({ kind: 'windowed', date: '', letter: '', source: '', family: '' });
  const [report, setReport] = useState<ListReport | null>(null);
  const { isSending, problem, send } = useSend();
  const set = (field: string) => (v: string) => {
    setAbout((a) => ({ ...a, [field]: v }));
    setReport(null);
  };
  const isTooBig = file !== null && file.size > FILE_BYTES_MAX;
  const query = () => ({ ...about, file: file?.name ?? '' });
  const look = async (e: Event) => {
    e.preventDefault();
    if (!file || isTooBig) return;
    const done = await send(async () => (await call<ListReport>('POST', '/list-preview', { bytes: file, query: query() })).data);
    if (done) setReport(done);
  };
  const publish = async () => {
    if (!file) return;
    const done = await send(
      async () =>
        (await call<ListReport>('POST', `/lists/${encodeURIComponent(name.trim())}/versions`, { bytes: file, query: query() })).data,
    );
    if (!done) return;
    say(tr('list_published', { version: done.version ?? 0 }));
    go(to('lists', name.trim()));
  };
  return (
    <>
      <Head title={tr('list_import')} back={{ href: to('lists'), text: tr('page_lists') }} />
      <form class="narrow" onSubmit={look}>
        <FaultSummary problem={problem} />
        <TextField
          label={tr('list_name')}
          name="name"
          hint={tr('list_name_hint')}
          value={name}
          onValue={setName}
          required
          pattern="[A-Za-z0-9_\-][A-Za-z0-9._\-]*"
          maxLength={64}
        />
        <div class={isTooBig ? 'field has-fault' : 'field'}>
          <label for="file">{tr('file')}</label>
          <p class="hint" id="file-hint">
            {tr('list_file_hint')}
          </p>
          {isTooBig && <p class="fault">{tr('file_too_big', { mb: 64 })}</p>}
          <input
            id="file"
            type="file"
            aria-describedby="file-hint"
            required
            onChange={(e) => {
              setFile(e.currentTarget.files?.[0] ?? null);
              setReport(null);
            }}
          />
        </div>
        <div class="form-grid">
          <SelectField
            label={tr('kind')}
            name="kind"
            value={about.kind}
            onValue={set('kind')}
            options={['windowed', 'cumulative', 'unknown'].map((k) => [k, trOr('list_kind_', k)])}
          />
          <TextField label={tr('list_date')} name="date" value={about.date} onValue={set('date')} placeholder="dd/mm/yyyy" />
          <TextField label={tr('list_letter')} name="letter" value={about.letter} onValue={set('letter')} />
          <TextField label={tr('list_source')} name="source" value={about.source} onValue={set('source')} />
        </div>
        <Submit isSending={isSending}>{tr('import_preview')}</Submit>
      </form>
      {report && (
        <Section title={tr('import_preview_title')}>
          <Refused of={report} />
          <p class="buttons">
            <button type="button" class="button button-main" disabled={isSending || !name.trim()} onClick={() => void publish()}>
              <Icon name="check" />
              {tr('import_publish', { n: formatNumber(report.entries) })}
            </button>
            <span class="hint">{tr('import_nothing_yet')}</span>
          </p>
        </Section>
      )}
    </>
  );
}
