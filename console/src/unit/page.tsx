/* SPDX-License-Identifier: Apache-2.0 */
/* unit/page - the tree of bodies, the address space, and names that wait for a person. */
import type { PageProps } from '../app/lazy';
import { to } from '../app/router';
import { may } from '../app/session';
import { tr } from '../text/catalogue';
import { exportHref } from '../api/client';
import { Head, Tabs } from '../ui/page';
import { ExportLinks } from '../ui/table';
import { UnitDetail } from './detail';
import { UnitImport } from './import';
import { UnitNames } from './names';
import { Prefixes } from './prefixes';
import { UnitTree } from './tree';

export function UnitPage({ route }: PageProps) {
  const [, sub] = route.path;
  if (sub && /^\d+$/.test(sub)) return <UnitDetail id={Number(sub)} query={route.query} />;
  if (sub === 'import') return <UnitImport />;
  const tab = sub === 'prefixes' || sub === 'names' ? sub : 'tree';
  return (
    <>
      <Head title={tr('page_units')}>
        {may('unit.write') && (
          <a class="button" href={to('units', 'import')}>
            {tr('import')}
          </a>
        )}
        {tab !== 'names' && <ExportLinks href={(f) => exportHref(tab === 'tree' ? '/units/export' : '/prefixes', {}, f)} />}
      </Head>
      <Tabs
        label={tr('page_units')}
        of={[
          { href: to('units'), text: tr('unit_tree'), isOn: tab === 'tree' },
          { href: to('units', 'prefixes'), text: tr('prefixes'), isOn: tab === 'prefixes' },
          ...(may('unit.write') ? [{ href: to('units', 'names'), text: tr('unit_names'), isOn: tab === 'names' }] : []),
        ]}
      />
      {tab === 'prefixes' ? <Prefixes unit={null} /> : tab === 'names' ? <UnitNames /> : <UnitTree query={route.query} />}
    </>
  );
}
