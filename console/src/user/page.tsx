/* SPDX-License-Identifier: Apache-2.0 */
/* user/page - people and what they may: users, dated grants, roles. */
import type { PageProps } from '../app/lazy';
import { to } from '../app/router';
import { may } from '../app/session';
import { tr } from '../text/catalogue';
import { Head, Tabs } from '../ui/page';
import { UserDetail } from './detail';
import { Grants } from './grants';
import { Roles } from './roles';
import { Users } from './users';

export function UserPage({ route }: PageProps) {
  const [, sub] = route.path;
  if (sub && /^\d+$/.test(sub)) return <UserDetail id={Number(sub)} />;
  const tab = sub === 'grants' || sub === 'roles' ? sub : may('user.read') ? 'users' : 'grants';
  return (
    <>
      <Head title={tr('page_users')} />
      <Tabs
        label={tr('page_users')}
        of={[
          ...(may('user.read') ? [{ href: to('users'), text: tr('users'), isOn: tab === 'users' }] : []),
          ...(may('grant.write') ? [{ href: to('users', 'grants'), text: tr('grants'), isOn: tab === 'grants' }] : []),
          ...(may('user.read') ? [{ href: to('users', 'roles'), text: tr('roles'), isOn: tab === 'roles' }] : []),
        ]}
      />
      {tab === 'grants' ? <Grants /> : tab === 'roles' ? <Roles /> : <Users />}
    </>
  );
}
