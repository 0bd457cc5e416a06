/* SPDX-License-Identifier: Apache-2.0 */
/* search/page - search over everything kept, and hunts with their record. */
import type { PageProps } from '../app/lazy';
import { to } from '../app/router';
import { tr } from '../text/catalogue';
import { Head, Tabs } from '../ui/page';
import { HuntDetail, HuntJob, HuntNew, Hunts } from './hunt';
import { Search } from './search';

export function SearchPage({ route }: PageProps) {
  const [, sub, third] = route.path;
  if (sub === 'hunts' && third === 'new') return <HuntNew query={route.query} />;
  if (sub === 'hunts' && third === 'job') return <HuntJob id={Number(route.path[3])} query={route.query} />;
  if (sub === 'hunts' && third) return <HuntDetail id={Number(third)} />;
  return (
    <>
      <Head title={tr('page_search')} />
      <Tabs
        label={tr('page_search')}
        of={[
          { href: to('search'), text: tr('search'), isOn: sub !== 'hunts' },
          { href: to('search', 'hunts'), text: tr('hunts'), isOn: sub === 'hunts' },
        ]}
      />
      {sub === 'hunts' ? <Hunts /> : <Search query={route.query} />}
    </>
  );
}
