// SPDX-License-Identifier: Apache-2.0
/*
 * node - the console against the real program: a node of its own on a free port, its first password, and the main ways through what it
 * answers. run.mjs takes it up where it is given --program.
 */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { assert, open, see, settled, until } from './tools.mjs';

const START_MS = 30_000;
const OWN_PASSWORD = 'con đường làng mùa lúa chín';

const freePort = () => new Promise((resolve) => {
  const s = createServer();
  s.listen(0, '127.0.0.1', () => {
    const { port } = s.address();
    s.close(() => resolve(port));
  });
});

/* begin - Return: {url, password, stop} of a node that answers. */
async function begin(t) {
  const dir = mkdtempSync(join(tmpdir(), 'console-node-'));
  chmodSync(dir, 0o711);
  cpSync(t.built, join(dir, 'console'), { recursive: true });
  execFileSync('chmod', ['-R', 'a+rX', join(dir, 'console')]);
  mkdirSync(join(dir, 'data'));
  const [port, flows] = [await freePort(), await freePort()];
  const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
  writeFileSync(join(dir, 'node.yaml'), `user: ${userInfo().username}\ngroup: ${group}\nintake:\n  netflow:\n    - listen: 127.0.0.1:${flows}\noffice:\n  listen: 127.0.0.1:${port}\n  console: ${dir}/console\n  name: Nút thử\n`);
  const node = spawn(t.program, ['serve', '--config', join(dir, 'node.yaml'), '--data', join(dir, 'data')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  node.stdout.on('data', (d) => { said += d; });
  node.stderr.on('data', (d) => { said += d; });
  const stop = () => new Promise((done) => {
    node.on('exit', () => { rmSync(dir, { recursive: true, force: true }); done(); });
    node.kill('SIGTERM');
  });
  const first = join(dir, 'data/office/first-password');
  const end = Date.now() + START_MS;
  while (!(existsSync(first) && /office_ready/.test(said))) {
    if (Date.now() > end || node.exitCode !== null) {
      await (node.exitCode === null ? stop() : rmSync(dir, { recursive: true, force: true }));
      throw new Error(`the node does not open its office:\n${said.split('\n').slice(-12).join('\n')}`);
    }
    await new Promise((r) => setTimeout(r, 50));
  }
  return { url: `https://127.0.0.1:${port}`, password: readFileSync(first, 'utf8').trim(), stop };
}

const PAGES = ['#/overview', '#/alerts', '#/search', '#/search/hunts', '#/lists', '#/units', '#/units/prefixes', '#/units/names', '#/machines', '#/sources', '#/duty', '#/users', '#/users/grants', '#/users/roles', '#/audit', '#/settings', '#/portal', '#/wall'];

export const tests = {
  'a real node: first password, every page, a user, a unit, the trail': async (t) => {
    const node = await begin(t);
    const context = await t.browser.newContext({ viewport: { width: 1366, height: 768 }, ignoreHTTPSErrors: true, locale: 'vi-VN' });
    const faults = [];
    let page;
    try {
      page = await context.newPage();
      page.setDefaultTimeout(10_000);
      page.on('pageerror', (e) => faults.push(`script: ${e.message}`));
      page.on('console', (m) => m.type() === 'error' && !/status of (401|403|404|409|412|422)/.test(m.text()) && faults.push(`console: ${m.text()}`));
      page.on('response', (r) => r.status() >= 500 && faults.push(`${r.status()} ${r.url()}`));
      page.on('response', (r) => r.status() === 404 && faults.push(`404 ${r.request().method()} ${r.url().replace(node.url, '')}`));
      await page.goto(node.url);
      await page.fill('[name=login]', 'admin');
      await page.fill('[name=password]', node.password);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Đặt mật khẩu của bạn' }).waitFor();
      await page.fill('[name=before]', node.password);
      await page.fill('[name=after]', OWN_PASSWORD);
      await page.fill('[name=again]', OWN_PASSWORD);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Tổng quan', level: 1 }).waitFor();
      await see(page, 'Chưa quan sát được');
      for (const path of PAGES) {
        await open(page, path);
        assert.equal(await page.locator('.state-failure, .state-denied').count(), 0, `${path}: ${await page.locator('main').innerText()}`);
        if (t.shots) await page.screenshot({ path: join(t.shots, `node${path.replace(/[#/]+/g, '-')}.png`) });
      }
      await open(page, '#/units/import');
      await page.setInputFiles('#file', { name: 'don-vi.csv', mimeType: 'text/csv', buffer: Buffer.from('code,kind,name,short_name,parent\nTM,province,UBND tỉnh Mẫu,UBND tỉnh,\nTM-YT,department,Sở Y tế,SYT,TM\nTM-X,xa la,Xã Lạ,,KHONG-CO\n') });
      await page.getByRole('button', { name: 'Xem trước' }).click();
      await see(page, 'Chưa có gì thay đổi.');
      await page.getByRole('button', { name: 'Nhập', exact: true }).click();
      await see(page, 'Đã nhập 2 dòng');
      await open(page, '#/units');
      await see(page, 'UBND tỉnh Mẫu');
      await open(page, '#/users');
      await page.getByRole('button', { name: 'Thêm người dùng' }).click();
      await page.fill('dialog [name=name]', 'Ngô Thị Ẩn');
      await page.fill('dialog [name=login]', 'an.ngo');
      await page.locator('dialog').getByRole('button', { name: 'Thêm người dùng' }).click();
      await page.locator('dialog .secret-text').waitFor();
      await page.getByRole('link', { name: 'Gán vai trò' }).click();
      await page.getByRole('heading', { name: 'Ngô Thị Ẩn', level: 1 }).waitFor();
      await page.getByRole('button', { name: 'Gán vai trò' }).click();
      await until('roles are there', async () => (await page.locator('dialog [name=role] option').count()) > 3);
      await page.selectOption('dialog [name=role]', 'duty_officer');
      await page.locator('dialog').getByRole('button', { name: 'Gán vai trò' }).click();
      await page.getByRole('cell', { name: 'Cán bộ trực' }).waitFor();
      await open(page, `#/search?q=${encodeURIComponent('source.ip : 203.0.113.17')}`);
      await see(page, 'Không có bản ghi nào khớp');
      await open(page, '#/audit');
      await see(page, 'Thêm người dùng');
      await page.getByRole('button', { name: 'Kiểm tra toàn bộ' }).click();
      await see(page, /nguyên vẹn/);
      await settled(page);
      assert.deepEqual(faults, []);
    } catch (e) {
      if (t.shots) await page.screenshot({ path: join(t.shots, 'node-failed.png') });
      throw new Error(`${e.message}\n${faults.join('\n')}`);
    } finally {
      await context.close();
      await node.stop();
    }
  },
};
