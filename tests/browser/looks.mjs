// SPDX-License-Identifier: Apache-2.0
/* looks - axe, overflow, print and weight; the screenshots that somebody looks at. */
import { join } from 'node:path';
import { assert, open, settled, visit } from './tools.mjs';

const PAGES = {
  overview: '#/overview', alerts: '#/alerts', alert: '#/alerts/101', search: `#/search?q=${encodeURIComponent('source.ip : 203.0.113.17')}`, hunts: '#/search/hunts', hunt_new: '#/search/hunts/new', lists: '#/lists',
  list: '#/lists/botnet', list_diff: '#/lists/botnet?tab=diff', list_import: '#/lists/import', units: '#/units', unit: '#/units/2', names: '#/units/names', prefixes: '#/units/prefixes', import: '#/units/import',
  machines: '#/machines', machine: '#/machines/300', sources: '#/sources', duty: '#/duty', users: '#/users', user: '#/users/9', grants: '#/users/grants', roles: '#/users/roles', audit: '#/audit', settings: '#/settings', portal: '#/portal',
  task: '#/portal/102', wall: '#/wall', missing: '#/khong-co',
};

/* in the dark only colours differ: the pages that together show them all */
const DARK = ['overview', 'alerts', 'alert', 'search', 'list_diff', 'machines', 'sources', 'user', 'task', 'wall'];

async function serious(page, source) {
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join(' / ')}`);
}

async function overflow(page) {
  return page.evaluate(() => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide <= 0) return '';
    const guilty = [...document.querySelectorAll('main *')].find((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest('.table-scroll, .tabs, svg'));
    return `${wide} px too wide: ${guilty?.className || guilty?.tagName}`;
  });
}

function walk(size, dark) {
  return (t) => visit(t, { ...size, dark }, async ({ page }) => {
    const faults = [];
    for (const [name, path] of Object.entries(PAGES).filter(([n]) => !dark || DARK.includes(n))) {
      await open(page, path);
        if (t.shots) await page.screenshot({ path: join(t.shots, `${name}-${size.width}${dark ? '-dark' : ''}.png`), fullPage: size.width < 500 });
      const wide = await overflow(page);
      if (wide) faults.push(`${name}: ${wide}`);
      for (const f of await serious(page, t.axeSource)) faults.push(`${name}: ${f}`);
    }
    assert.deepEqual(faults, []);
  });
}

export const tests = {
  'every page fits an office screen and axe finds nothing serious': walk({ width: 1366, height: 768 }, false),
  'every page fits a telephone and axe finds nothing serious': walk({ width: 390, height: 844 }, false),
  'every page stands in the dark and axe finds nothing serious': walk({ width: 1366, height: 768 }, true),
  'the door is open to screen readers too': (t) => visit(t, { as: null, width: 390, height: 844 }, async ({ page }) => {
    if (t.shots) await page.screenshot({ path: join(t.shots, 'door-390.png') });
    assert.deepEqual(await serious(page, t.axeSource), []);
    assert.equal(await overflow(page), '');
  }),
  'the skip link is the first stop and leads to the page': (t) => visit(t, { path: '#/alerts' }, async ({ page }) => {
    await settled(page);
    await page.evaluate(() => document.activeElement?.blur());
    await page.evaluate(() => window.getSelection()?.removeAllRanges());
    await page.locator('.skip').focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  }),
  'a menu of a telephone opens, leads and closes': (t) => visit(t, { width: 390, height: 844 }, async ({ page }) => {
    await settled(page);
    const menu = page.getByRole('button', { name: 'Trình đơn' });
    assert.equal(await menu.getAttribute('aria-expanded'), 'false');
    await menu.click();
    await page.getByRole('link', { name: 'Máy', exact: true }).click();
    await page.getByRole('heading', { name: 'Máy', level: 1 }).waitFor();
    assert.equal(await menu.getAttribute('aria-expanded'), 'false');
  }),
  'paper shows the page and nothing that can only be clicked': (t) => visit(t, { path: '#/alerts/101' }, async ({ page }) => {
    await settled(page);
    await page.emulateMedia({ media: 'print' });
    for (const s of ['.bar', '.menu', '.page-actions', '.note']) assert.equal(await page.locator(s).first().isVisible(), false, s);
    assert.ok(await page.getByRole('heading', { level: 1 }).isVisible());
    if (t.shots) await page.pdf({ path: join(t.shots, 'alert.pdf'), format: 'A4' });
  }),
  'the first view weighs at most 200 kB and comes from one place': (t) => visit(t, { as: null }, async ({ page, office }) => {
    let bytes = 0;
    page.on('response', async (r) => { bytes += (await r.body().catch(() => Buffer.alloc(0))).length; });
    await page.reload();
    await settled(page);
    assert.ok(bytes < 600_000, `${bytes} bytes unpacked`); // build.mjs holds the packed limit
    const csp = (await page.request.get(office.url)).headers()['content-security-policy'];
    assert.ok(!/unsafe/.test(csp), csp);
  }),
};
