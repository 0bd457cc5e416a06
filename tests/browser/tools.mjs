// SPDX-License-Identifier: Apache-2.0
/* tools - what the browser tests share: an office and a page for one test, and questions that wait for their answer. */
import assert from 'node:assert/strict';
import { NOW, people } from './fixtures.mjs';
import { start } from './office.mjs';

export { assert };
const WAIT_MS = 15_000;

/*
 * visit - a page of its own, signed in as @as (null: at the door), at the clock of the fixtures. Everything that goes wrong unseen is a
 * failure: errors of scripts, refusals of the content policy, requests to anywhere else.
 */
export async function visit(t, { as = 'truc', width = 1366, height = 768, dark = false, language = null, path = '#/', mayFail = /40[1349]|412|422|428/ } = {}, work) {
  const office = await start({ root: t.built });
  const context = await t.browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', locale: 'vi-VN', hasTouch: width < 500, acceptDownloads: true });
  const faults = [];
  try {
    await context.clock.setFixedTime(new Date(NOW));
    if (language) await context.addInitScript((l) => localStorage.setItem('language', l), language);
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    page.on('pageerror', (e) => faults.push(`script: ${e.message}`));
    page.on('console', (m) => m.type() === 'error' && !(/Failed to load resource/.test(m.text()) && (mayFail.test(m.text()) || office.state.wasDown)) && faults.push(`console: ${m.text()}`));
    page.on('request', (r) => !r.url().startsWith(office.url) && !r.url().startsWith('data:') && faults.push(`elsewhere: ${r.url()}`));
    if (as) {
      const p = people[as];
      const reply = await context.request.post(`${office.url}/api/v1/session`, { data: { login: p.login, password: p.password } });
      assert.equal(reply.status(), 200, 'the stand-in office lets its people in');
    }
    await page.goto(`${office.url}/${path}`);
    await page.locator('h1').first().waitFor();
    await work({ page, office, context, state: office.state });
    assert.deepEqual(faults, [], 'nothing goes wrong unseen');
  } finally {
    await context.close();
    office.close();
  }
}

/* open - another page of the console, until it stands. */
export async function open(page, hash) {
  await page.evaluate((h) => { location.hash = h; }, hash);
  await settled(page);
}

/* settled - the page has its head and nothing of it is being fetched. */
export async function settled(page) {
  await page.locator('h1').first().waitFor();
  await page.waitForFunction(() => !document.querySelector('.loading'), null, { timeout: WAIT_MS });
}

export async function until(what, ask) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (e) {
      if (Date.now() > end) throw e;
    }
    assert.ok(Date.now() < end, `in time: ${what}`);
    await new Promise((r) => setTimeout(r, 40));
  }
}

export const texts = (locator) => locator.allInnerTexts().then((all) => all.map((s) => s.trim()));

/* see - @text stands somewhere on the page and can be seen. */
export const see = (page, text) => page.getByText(text).first().waitFor({ state: 'visible' });
