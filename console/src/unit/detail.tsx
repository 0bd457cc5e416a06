/* SPDX-License-Identifier: Apache-2.0 */
/* unit/detail - one body: where it stands, what it was, who answers there day and night, its systems and addresses. */
import { useState } from 'preact/hooks';
import { Problem, get, patch } from '../api/client';
import type { Contact, MachineCounts, System, Unit } from '../api/types';
import { to } from '../app/router';
import { may } from '../app/session';
import { tr, trOr } from '../text/catalogue';
import { formatDay, formatNumber } from '../text/format';
import { Dialog } from '../ui/dialog';
import { FaultSummary, SelectField, Submit, TextField, useSend } from '../ui/form';
import { Facts, Figure, Head, Section } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { Table } from '../ui/table';
import { say } from '../ui/toast';
import { Prefixes } from './prefixes';

const KINDS = [
  'national',
  'ministry',
  'province',
  'department',
  'commune',
  'provider',
  'bank',
  'enterprise',
  'cluster',
  'district',
  'other',
];
const OLD_CONTACT_MS = 180 * 86_400_000;

const nowText = (u: Unit) => `${u.name} (${u.short_name || '–'}), ${trOr('unit_kind_', u.kind)}`;

function Edit(props: { unit: Unit; version: number; onDone: () => void; onClose: () => void }) {
  const [form, setForm] = useState({ name: props.unit.name, short_name: props.unit.short_name ?? '', kind: props.unit.kind });
  const [newer, setNewer] = useState<{ unit: Unit; version: number } | null>(null);
  const { isSending, problem, send, faults } = useSend();
  const set = (field: string) => (v: string) => setForm((f) => ({ ...f, [field]: v }));
  const save = async (version: number) => {
    const done = await send(async () => {
      try {
        return await patch<Unit>(
          `/units/${props.unit.id}`,
          { name: form.name.trim(), short_name: form.short_name.trim(), kind: form.kind },
          version,
        );
      } catch (e) {
        if (!(e instanceof Problem) || !e.isConflict) throw e;
        const fresh = await get<Unit>(`/units/${props.unit.id}`);
        setNewer({ unit: fresh.data, version: fresh.version ?? fresh.data.version });
        return undefined;
      }
    });
    if (!done) return;
    say(tr('saved'));
    props.onDone();
  };
  return (
    <Dialog title={tr('edit')} onClose={props.onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save(newer?.version ?? props.version);
        }}
        noValidate
      >
        <FaultSummary problem={problem} />
        {newer && (
          <div class="conflict" role="alert">
            <p class="state-title">{tr('conflict_object')}</p>
            <p>{tr('conflict_now', { what: nowText(newer.unit) })}</p>
          </div>
        )}
        <TextField label={tr('unit_name')} name="name" value={form.name} onValue={set('name')} fault={faults.name} required />
        <TextField
          label={tr('unit_short_name')}
          name="short_name"
          value={form.short_name}
          onValue={set('short_name')}
          fault={faults.short_name}
        />
        <SelectField
          label={tr('kind')}
          name="kind"
          value={form.kind}
          onValue={set('kind')}
          fault={faults.kind}
          options={KINDS.map((k) => [k, trOr('unit_kind_', k)])}
        />
        <Submit isSending={isSending}>{newer ? tr('conflict_again') : tr('save')}</Submit>
      </form>
    </Dialog>
  );
}

function Way({ of }: { of: Contact }) {
  if (of.channel === 'email') return <a href={`mailto:${of.value}`}>{of.value}</a>;
  if (['phone', 'hotline', 'sms'].includes(of.channel)) return <a href={`tel:${of.value.replace(/[^\d+]/g, '')}`}>{of.value}</a>;
  return <>{of.value}</>;
}

export function Contacts({ of }: { of: Contact[] }) {
  if (!of.length) return <Empty title={tr('contacts_empty')} hint={tr('contacts_empty_hint')} />;
  return (
    <Table
      caption={tr('contacts')}
      rows={of}
      rowKey={(c) => c.id}
      unit={tr('unit_contacts')}
      hasKeys={false}
      columns={[
        {
          id: 'name',
          title: tr('name'),
          isMain: true,
          cell: (c) => (
            <>
              <strong>{c.name}</strong>
              {c.is_24_7 && (
                <>
                  {' '}
                  <span class="badge badge-good">24/7</span>
                </>
              )}
              <span class="row-sub">{c.purpose}</span>
            </>
          ),
        },
        { id: 'way', title: tr('contact_way'), cell: (c) => <Way of={c} /> },
        {
          id: 'verified',
          title: tr('contact_verified'),
          isNumber: true,
          cell: (c) => {
            const at = c.verified_on;
            return at ? (
              <span class={Date.now() - Date.parse(at) > OLD_CONTACT_MS ? 'due-over' : ''}>{formatDay(at)}</span>
            ) : (
              <span class="due-over">{tr('never')}</span>
            );
          },
        },
      ]}
    />
  );
}

function Systems({ unit }: { unit: number }) {
  const list = useList<System>('/systems', { unit });
  return (
    <Shown of={list} lines={2}>
      {() =>
        list.items.length === 0 ? (
          <Empty title={tr('systems_empty')} />
        ) : (
          <Table
            caption={tr('systems')}
            rows={list.items}
            rowKey={(s) => s.id}
            unit={tr('unit_systems')}
            total={list.total}
            hasKeys={false}
            columns={[
              { id: 'name', title: tr('system'), isMain: true, by: (s) => s.name, cell: (s) => s.name },
              {
                id: 'level',
                title: tr('level'),
                isNumber: true,
                by: (s) => s.level,
                cell: (s) => (s.level ? formatNumber(s.level) : <span class="muted">{tr('level_none')}</span>),
              },
              {
                id: 'decision',
                title: tr('level_decision'),
                isWide: true,
                cell: (s) => (s.level ? [s.level_number, formatDay(s.level_decided_at), s.level_body].filter(Boolean).join(', ') : '–'),
              },
            ]}
          />
        )
      }
    </Shown>
  );
}

function History(props: { of: NonNullable<Unit['history']> }) {
  return (
    <Section title={tr('unit_history')}>
      <Table
        caption={tr('unit_history')}
        rows={props.of}
        rowKey={(h) => h.valid_from ?? ''}
        unit={tr('unit_versions')}
        hasKeys={false}
        columns={[
          { id: 'name', title: tr('unit_name'), isMain: true, cell: (h) => h.name },
          { id: 'kind', title: tr('kind'), cell: (h) => trOr('unit_kind_', h.kind) },
          { id: 'from', title: tr('since'), isNumber: true, cell: (h) => formatDay(h.valid_from) },
          { id: 'to', title: tr('until_label'), isNumber: true, cell: (h) => (h.valid_to ? formatDay(h.valid_to) : tr('now')) },
        ]}
      />
    </Section>
  );
}

export function UnitDetail({ id, query }: { id: number; query: URLSearchParams }) {
  const unit = useResource<Unit>(`/units/${id}`);
  const [isEditing, setEditing] = useState(query.get('edit') === '1');
  const links = (all: Unit['successors']) =>
    all?.length ? (
      <ul class="plain">
        {all.map((u) => (
          <li key={u.id}>
            <a href={to('units', u.id)}>{u.name}</a>
          </li>
        ))}
      </ul>
    ) : null;
  const parent = (u: Unit) => u.path?.filter((p) => p.id !== u.id).pop();
  const machines = useResource<MachineCounts>(may('asset.read') ? '/machines/counts' : null, { unit: id });
  return (
    <Shown of={unit} isPage>
      {(u) => (
        <>
          <Head
            title={u.name}
            back={parent(u) ? { href: to('units', parent(u)!.id), text: parent(u)!.name } : { href: to('units'), text: tr('page_units') }}
            sub={
              <>
                <span class="muted">
                  {trOr('unit_kind_', u.kind)}
                  {u.short_name ? ` · ${u.short_name}` : ''}
                </span>
                {u.valid_to && <span class="badge">{tr('ended', { at: formatDay(u.valid_to) })}</span>}
              </>
            }
          >
            {may('alert.read') && (
              <a class="button" href={to('alerts', { unit: u.id })}>
                {tr('page_alerts')}
              </a>
            )}
            {may('unit.write') && (
              <button type="button" class="button" onClick={() => setEditing(true)}>
                {tr('edit')}
              </button>
            )}
          </Head>
          <div class="figures figures-small">
            {machines.data && (
              <Figure label={tr('page_machines')} count={machines.data.total} unit="machine" href={to('machines', { unit: u.id })} />
            )}
            <Figure label={tr('unit_right_below')} count={u.counts?.units ?? 0} unit="unit" href={to('units', { q: u.name })} />
          </div>
          <Section title={tr('known_title')}>
            <Facts
              of={[
                [tr('unit_valid'), `${u.valid_from ? formatDay(u.valid_from) : '…'} – ${u.valid_to ? formatDay(u.valid_to) : tr('now')}`],
                [tr('unit_aliases'), u.aliases?.length ? u.aliases.map((x) => x.name).join('; ') : null],
                [tr('unit_predecessors'), links(u.predecessors)],
                [tr('unit_successors'), links(u.successors)],
                [tr('unit_own_node'), u.has_own_node ? tr('yes') : tr('no')],
              ]}
            />
          </Section>
          {u.history && u.history.length > 1 && <History of={u.history} />}
          <Section title={tr('contacts')}>
            <Contacts of={u.contacts ?? []} />
          </Section>
          <Section title={tr('systems')}>
            <Systems unit={u.id} />
          </Section>
          <Section title={tr('prefixes')} id="prefixes">
            <Prefixes unit={u.id} />
          </Section>
          {isEditing && (
            <Edit
              unit={u}
              version={unit.version ?? u.version}
              onClose={() => setEditing(false)}
              onDone={() => {
                setEditing(false);
                unit.reload();
              }}
            />
          )}
        </>
      )}
    </Shown>
  );
}
