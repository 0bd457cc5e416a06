/* SPDX-License-Identifier: Apache-2.0 */
/* unit/import - CSV or XLSX of bodies, prefixes, systems, contacts or machines: tried first, with the account of every row; then done. */
import { useState } from 'preact/hooks';
import { Problem, call } from '../api/client';
import type { ImportReport } from '../api/types';
import { to } from '../app/router';
import { tr, trOr } from '../text/catalogue';
import { formatNumber } from '../text/format';
import { CheckField, FaultSummary, SelectField, Submit, useSend } from '../ui/form';
import { Facts, Head, Section } from '../ui/page';
import { Table } from '../ui/table';
import { say } from '../ui/toast';

const PATHS: Record<string, string> = { units: '/units/import', prefixes: '/prefixes/import', machines: '/machines/import' };

function Account({ of }: { of: ImportReport }) {
  return (
    <>
      <Facts
        of={[
          [tr('import_rows'), formatNumber(of.rows)],
          [tr('import_kept'), formatNumber(of.kept)],
          [tr('import_new'), formatNumber(of.new)],
          [tr('import_changed'), formatNumber(of.changed)],
          [tr('import_same'), formatNumber(of.same)],
          [tr('import_queued'), formatNumber(of.queued)],
          [tr('import_refused'), formatNumber(of.refused)],
        ]}
      />
      {of.unknown_columns.length > 0 && <p class="hint">{tr('import_unknown_columns', { names: of.unknown_columns.join(', ') })}</p>}
      {of.refused_rows.length > 0 && (
        <Table
          caption={tr('import_refused_rows')}
          rows={of.refused_rows}
          rowKey={(r) => `${r.row} ${r.column} ${r.reason}`}
          unit={tr('unit_rows_of_file')}
          total={Math.max(of.refused, of.refused_rows.length)}
          columns={[
            { id: 'row', title: tr('row'), isNumber: true, by: (r) => r.row, cell: (r) => formatNumber(r.row) },
            { id: 'column', title: tr('column'), by: (r) => r.column, cell: (r) => r.column || '–' },
            { id: 'value', title: tr('value'), isMain: true, isWide: true, cell: (r) => r.value || '–' },
            { id: 'reason', title: tr('reason'), by: (r) => r.reason, cell: (r) => r.text },
            { id: 'kept', title: tr('import_kept'), cell: (r) => (r.is_kept ? tr('yes') : tr('no')) },
          ]}
        />
      )}
    </>
  );
}

export function UnitImport() {
  const [kind, setKind] = useState('units');
  const [file, setFile] = useState<File | null>(null);
  const [isWhole, setWhole] = useState(false);
  const [report, setReport] = useState<ImportReport | null>(null);
  const [isDone, setDone] = useState(false);
  const { isSending, problem, send, setProblem } = useSend();
  const run = async (isTrial: boolean) => {
    if (!file) return;
    setReport(null);
    await send(async () => {
      try {
        const { data } = await call<ImportReport>('POST', PATHS[kind]!, {
          bytes: file,
          query: { file_name: file.name, mode: isWhole ? 'whole' : null, dry_run: isTrial ? 1 : null },
        });
        setReport(data);
        setDone(!isTrial);
        if (!isTrial) say(tr('import_done', { n: formatNumber(data.kept) }));
      } catch (e) {
        const account = e instanceof Problem ? (e.body.report as ImportReport | undefined) : undefined;
        if (account) setReport(account);
        setDone(false);
        if (!(e instanceof Problem) || !(isTrial && e.status === 409 && account)) throw e;
      }
    });
  };
  const reset = () => {
    setReport(null);
    setDone(false);
    setProblem(null);
  };
  return (
    <>
      <Head title={tr('import')} back={{ href: to('units'), text: tr('page_units') }} />
      <form
        class="narrow"
        onSubmit={(e) => {
          e.preventDefault();
          void run(true);
        }}
      >
        <FaultSummary problem={problem} />
        <SelectField
          label={tr('import_what')}
          name="kind"
          value={kind}
          onValue={(v) => {
            setKind(v);
            reset();
          }}
          options={Object.keys(PATHS).map((k) => [k, trOr('import_kind_', k)])}
        />
        <div class="field">
          <label for="file">{tr('file')}</label>
          <p class="hint" id="file-hint">
            {tr('import_file_hint')}
          </p>
          <input
            id="file"
            type="file"
            accept=".csv,.xlsx,.txt"
            aria-describedby="file-hint"
            required
            onChange={(e) => {
              setFile(e.currentTarget.files?.[0] ?? null);
              reset();
            }}
          />
        </div>
        <CheckField label={tr('import_whole')} isOn={isWhole} onChange={setWhole} hint={tr('import_whole_hint')} />
        <Submit isSending={isSending}>{tr('import_preview')}</Submit>
      </form>
      {report && (
        <Section title={isDone ? tr('import_done_title') : tr('import_preview_title')}>
          <Account of={report} />
          {!isDone && (
            <p class="buttons">
              <button type="button" class="button button-main" disabled={isSending} onClick={() => void run(false)}>
                {tr('import_run')}
              </button>
              <span class="hint">{tr('import_nothing_yet')}</span>
            </p>
          )}
        </Section>
      )}
    </>
  );
}
