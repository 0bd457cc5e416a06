/* SPDX-License-Identifier: Apache-2.0 */
/* user/roles - what each role may do: a table of roles and permissions, as the node has them. */
import type { Page, Role } from '../api/types';
import { tr, trOr } from '../text/catalogue';
import { Icon } from '../ui/icon';
import { Shown, useResource } from '../ui/resource';

export function Roles() {
  const roles = useResource<Page<Role>>('/roles');
  return (
    <Shown of={roles}>
      {(p) => {
        const all = [...new Set(p.items.flatMap((r) => r.permissions))];
        return (
          <>
            <p class="hint">{tr('roles_hint')}</p>
            <div class="table-scroll" tabIndex={0} role="region" aria-label={tr('roles')}>
              <table class="matrix">
                <thead>
                  <tr>
                    <th scope="col">{tr('permission')}</th>
                    {p.items.map((r) => (
                      <th key={r.name} scope="col">
                        {r.title}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {all.map((name) => (
                    <tr key={name}>
                      <th scope="row">{trOr('permission_', name.replace('.', '_'))}</th>
                      {p.items.map((r) => (
                        <td key={r.name}>
                          {r.permissions.includes(name) ? (
                            <>
                              <Icon name="check" />
                              <span class="sr-only">{tr('yes')}</span>
                            </>
                          ) : (
                            <span class="muted" aria-label={tr('no')} role="img">
                              ·
                            </span>
                          )}
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </>
        );
      }}
    </Shown>
  );
}
