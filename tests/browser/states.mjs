// SPDX-License-Identifier: Apache-2.0
/* states - empty, lost, failed, refused: what the screen says when it cannot say what it is asked. */
import { assert, open, see, settled, until, visit } from './tools.mjs';

export const tests = {
  'an empty office says on every page what is missing and what to do': (t) => visit(t, {}, async ({ page, state }) => {
    state.isEmpty = true;
    const expected = {
      '#/overview': 'Không có việc nào đang chờ người xử lý.', '#/alerts': 'Không có cảnh báo nào', '#/lists': 'Chưa có danh sách nào', '#/units': 'Chưa có đơn vị nào', '#/units/prefixes': 'Chưa khai báo dải địa chỉ nào',
      '#/machines': 'Chưa ghi nhận máy nào', '#/sources': 'Chưa có nguồn nào gửi dữ liệu', '#/users/grants': 'Chưa cấp quyền nào', '#/search/hunts': 'Chưa có hồ sơ săn lùng nào', '#/portal': 'Không có việc nào chờ đơn vị',
    };
    for (const [path, text] of Object.entries(expected)) {
      await open(page, path);
      await see(page, text);
    }
    await open(page, '#/overview');
    await see(page, 'Chưa có ai được phân công trực lúc này.');
  }),
  'a lost line is told with its hour, old figures stay marked as old, and it comes back by itself': (t) => visit(t, { path: '#/machines' }, async ({ page, state }) => {
    await settled(page);
    await open(page, '#/overview');
    await until('the stream stands', () => state.streams.size === 1);
    state.isDown = state.wasDown = true;
    for (const s of state.streams) s.destroy();
    await see(page, /Mất kết nối từ 15\/02\/2026 15:30/);
    await see(page, 'Cảnh báo chưa ai nhận');
    await open(page, '#/machines');
    await see(page, 'Không kết nối được với máy chủ');
    state.isDown = false;
    await page.getByRole('button', { name: 'Thử lại' }).click();
    await see(page, 'MAYCHU-0');
    await until('the line is back', async () => (await page.locator('.line-lost').count()) === 0);
  }),
  'a figure that could not be asked again says of when it is': (t) => visit(t, { path: '#/alerts', mayFail: /status of 500/ }, async ({ page, state, office }) => {
    await settled(page);
    await page.route('**/api/v1/alerts?*', (r) => r.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"title":"","status":500}' }));
    await page.route('**/api/v1/alerts', (r) => r.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"title":"","status":500}' }));
    await until('the stream stands', () => state.streams.size === 1);
    office.say('alert', { id: 101 });
    await see(page, /Số liệu lúc 15\/02\/2026 15:30; lần tải sau không được: Máy chủ gặp lỗi/);
    assert.ok((await page.locator('tbody tr').count()) > 5, 'what was there stays');
  }),
  'everything is said in English too, with numbers as English has them': (t) => visit(t, { path: '#/overview' }, async ({ page }) => {
    await settled(page);
    await page.getByRole('button', { name: /English/ }).click();
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    assert.equal(await page.getAttribute('html', 'lang'), 'en');
    await see(page, '1,052,479');
    const ours = ['Tổng quan', 'Cảnh báo chưa', 'Chưa quan sát', 'Đang tải', 'Tất cả', 'Bỏ lọc', 'Trạng thái'];
    for (const path of ['#/overview', '#/alerts', '#/alerts/101', '#/search', '#/lists', '#/units', '#/machines', '#/sources', '#/users', '#/users/roles', '#/audit', '#/settings', '#/portal']) {
      await open(page, path);
      const text = await page.locator('main').innerText();
      for (const word of ours) assert.ok(!text.includes(word), `${path}: ${word}`);
      const ids = text.match(/\b[a-z]+_[a-z_]+\b/g)?.filter((w) => !/^(beacon_|alert_read)/.test(w)) ?? [];
      assert.deepEqual(ids, [], `${path} shows names of messages`);
    }
    await page.reload();
    await page.getByRole('heading', { name: "My unit's work", level: 1 }).waitFor();
  }),
  'nothing of a message is missing on a Vietnamese screen': (t) => visit(t, {}, async ({ page }) => {
    for (const path of ['#/overview', '#/alerts', '#/alerts/101', '#/search', '#/search/hunts/new', '#/lists', '#/lists/botnet', '#/lists/import', '#/units', '#/units/2', '#/units/names', '#/machines', '#/machines/300', '#/sources', '#/duty', '#/users', '#/users/7', '#/users/grants', '#/users/roles', '#/settings', '#/portal']) {
      await open(page, path);
      const text = await page.locator('main').innerText();
      const ids = text.match(/\b[a-z]+_[a-z_]+\b/g)?.filter((w) => !/^beacon_/.test(w)) ?? [];
      assert.deepEqual(ids, [], path);
    }
  }),
};
