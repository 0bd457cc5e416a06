// SPDX-License-Identifier: Apache-2.0
/* desks - the main ways through each desk, as people walk them. */
import { assert, open, see, settled, texts, until, visit } from './tools.mjs';

const focusName = (page) => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');

export const tests = {
  'the overview says first what needs a person, then what is not observed, then figures that open': (t) => visit(t, {}, async ({ page, office }) => {
    await settled(page);
    assert.deepEqual(await texts(page.locator('main h2')), ['Cần xử lý ngay', 'Chưa quan sát được', 'Số liệu', 'Đang trực']);
    await see(page, /lâu nhất đã chờ 3 giờ 10 phút, từ 15\/02\/2026 12:20/);
    const figures = await texts(page.locator('.figure'));
    assert.ok(figures.some((f) => /18 IP/.test(f) && /trên 4\.096 IP \(0,4 %\)/.test(f)), figures.join(' | '));
    assert.ok(figures.some((f) => /1\.052\.479 lượt/.test(f) && /chưa xác định được tổng số/.test(f)));
    assert.equal(await page.locator('a.figure').count(), figures.length, 'every number opens to its records');
    await page.getByRole('link', { name: /Cảnh báo chưa ai nhận/ }).click();
    await page.getByRole('heading', { name: 'Cảnh báo', level: 1 }).waitFor();
    assert.equal(new URL(page.url()).hash, '#/alerts?state=new');
    assert.ok(office.state.calls.includes('GET /alerts'));
  }),
  'alerts are walked, marked and opened by keyboard alone': (t) => visit(t, { path: '#/alerts' }, async ({ page }) => {
    await settled(page);
    await page.keyboard.press('j');
    const first = await focusName(page);
    await page.keyboard.press('j');
    assert.notEqual(await focusName(page), first);
    await page.keyboard.press('k');
    assert.equal(await focusName(page), first);
    await page.keyboard.press('x');
    await see(page, 'Đã chọn 1');
    await page.keyboard.press('x');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: first, level: 1 }).waitFor();
    const one = page.url();
    await page.keyboard.press('j');
    await until('j goes to the next alert of the list', () => page.url() !== one);
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Cảnh báo', level: 1 }).waitFor();
    await page.locator('tbody tr').first().waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('Dòng sau').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.hasAttribute('data-search')), true);
    await page.keyboard.press('Tab');
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('g');
    await page.keyboard.press('m');
    await page.getByRole('heading', { name: 'Máy', level: 1 }).waitFor();
  }),
  'filters are in the address and views are kept': (t) => visit(t, { path: '#/alerts' }, async ({ page }) => {
    await settled(page);
    await page.getByRole('button', { name: 'Cao' }).click();
    await until('only high and critical', async () => (await texts(page.locator('tbody .severity'))).every((s) => ['Nghiêm trọng', 'Cao'].includes(s)));
    assert.match(page.url(), /severity=high/);
    await page.getByRole('button', { name: 'Lưu góc nhìn này' }).click();
    await page.fill('dialog [name=name]', 'Việc gấp');
    await page.getByRole('button', { name: 'Lưu', exact: true }).click();
    await page.getByRole('navigation', { name: 'Góc nhìn' }).getByText('Việc gấp').waitFor();
    await page.getByRole('link', { name: 'Bỏ lọc' }).click();
    await page.getByRole('link', { name: 'Việc gấp' }).click();
    assert.match(page.url(), /severity=high/);
    await page.getByRole('searchbox', { name: 'Từ khóa', exact: true }).fill('không có cảnh báo nào như vậy');
    await page.keyboard.press('Enter');
    await see(page, 'Không cảnh báo nào khớp với bộ lọc đang dùng.');
  }),
  'many alerts are decided at once and those that others changed are named': (t) => visit(t, { path: '#/alerts?sort=severity' }, async ({ page, state }) => {
    await settled(page);
    const boxes = page.locator('tbody input[type=checkbox]');
    for (const i of [0, 1, 2]) await boxes.nth(i).check();
    const shown = await texts(page.locator('tbody .row-sub'));
    const other = state.alerts.find((a) => shown[1].startsWith(a.entity.value) && a.severity === 'critical');
    const victim = state.alerts.filter((a) => a.severity === 'critical' && a.state !== 'resolved').sort((a, b) => b.id - a.id)[1];
    victim.version++; // somebody else, a moment ago
    assert.ok(other);
    await page.getByLabel('Việc cần làm').selectOption('verdict_false');
    await page.getByRole('button', { name: 'Thực hiện' }).click();
    await see(page, 'Kết luận cần có căn cứ');
    await page.getByLabel('Căn cứ của kết luận').fill('Máy quét của phòng kỹ thuật');
    await page.getByRole('button', { name: 'Thực hiện' }).click();
    await see(page, 'Được 2 trên 3; 1 cảnh báo vừa bị người khác thay đổi');
    assert.equal(state.alerts.filter((a) => a.verdict_reason === 'Máy quét của phòng kỹ thuật').length, 2);
  }),
  'the second of two who decide is shown both versions and overwrites nothing unseen': (t) => visit(t, { path: '#/alerts/101' }, async ({ page, state }) => {
    await settled(page);
    const alert = state.alerts.find((a) => a.id === 101);
    Object.assign(alert, { state: 'assigned', assignee: { id: 11, name: 'Đỗ Văn Ẩn' }, version: alert.version + 1 });
    await page.getByRole('button', { name: 'Tôi nhận xử lý' }).click();
    const box = page.locator('.conflict');
    await box.getByText('Có người vừa thay đổi cảnh báo này').waitFor();
    assert.match(await box.innerText(), /Đỗ Văn Ẩn[\s\S]*Nguyễn Thị Trực/);
    assert.equal(alert.assignee.id, 11, 'nothing was overwritten');
    await box.getByRole('button', { name: 'Giữ như hiện nay' }).click();
    await page.locator('.assignee').getByText('Đỗ Văn Ẩn').waitFor();
    await page.getByRole('button', { name: 'Tôi nhận xử lý' }).click();
    await page.locator('.assignee').getByText('Nguyễn Thị Trực').waitFor();
    assert.equal(alert.assignee.id, 7);
  }),
  'an alert tells its story, takes notes as text and a verdict with its grounds': (t) => visit(t, { path: '#/alerts/101' }, async ({ page, state }) => {
    await settled(page);
    for (const h of ['Những gì đã biết', 'Theo thời gian', 'Số đo và ngưỡng', 'Đã liên lạc với', 'Bằng chứng', 'Xử lý', 'Diễn biến']) await page.getByRole('heading', { name: h, level: 2 }).waitFor();
    await page.locator('.chart canvas').waitFor();
    assert.equal(await page.locator('.peer-link').count(), 12);
    await page.getByRole('button', { name: 'Xem dạng bảng' }).click();
    await see(page, 'không đo được');
    await page.fill('#note', '<img src=x onerror=alert(1)> đã gọi đầu mối');
    await page.getByRole('button', { name: 'Thêm ghi chú' }).click();
    await page.locator('.story').getByText('<img src=x onerror=alert(1)> đã gọi đầu mối').waitFor();
    assert.equal(await page.locator('.story img').count(), 0);
    await page.selectOption('[name=verdict]', 'false');
    await page.evaluate(() => document.querySelector('#decide form').setAttribute('novalidate', ''));
    await page.getByRole('button', { name: 'Lưu kết luận' }).click();
    await see(page, 'Cần nêu căn cứ của kết luận');
    await page.fill('[name=reason]', 'Máy đã tách khỏi mạng, không còn liên lạc');
    await page.getByRole('button', { name: 'Lưu kết luận' }).click();
    await page.getByRole('button', { name: 'Mở lại' }).waitFor();
    const alert = state.alerts.find((a) => a.id === 101);
    assert.deepEqual([alert.state, alert.verdict], ['resolved', 'false']);
  }),
  'an alert that changes is seen in an open list by itself': (t) => visit(t, { path: '#/alerts' }, async ({ page, state, office }) => {
    await settled(page);
    await until('the stream stands', () => state.streams.size === 1);
    state.alerts[0].title = 'Cảnh báo vừa được cập nhật';
    state.alerts[0].state = 'new';
    const at = Date.now();
    office.say('alert', { id: 101, version: 2 });
    await see(page, 'Cảnh báo vừa được cập nhật');
    assert.ok(Date.now() - at < 5000, `${Date.now() - at} ms`); // a second where nothing else runs; it gathers bursts for 0.4 s
  }),
  'a query is completed, asked, drawn, permalinked and narrowed': (t) => visit(t, { path: '#/search' }, async ({ page }) => {
    await settled(page);
    const field = page.getByRole('combobox', { name: 'Câu truy vấn' });
    await field.click();
    await page.keyboard.type('source.i');
    await page.getByRole('option', { name: 'source.ip' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    assert.equal(await field.inputValue(), 'source.ip : ');
    await page.keyboard.type('203.0.113.17');
    await page.keyboard.press('Enter');
    await see(page, '60 bản ghi khớp');
    await see(page, /Đã dò 107\.248 bản ghi trong 3 phần dữ liệu/);
    await page.locator('.chart canvas').waitFor();
    const link = page.url();
    assert.match(link, /#\/search\?q=source\.ip/);
    await page.getByText(/Cột hiển thị/).click();
    await page.getByLabel('tls.client.server_name').check();
    await until('the column is in the address', () => /columns=.*server_name/.test(decodeURIComponent(page.url())));
    await page.locator('tbody .row-link').first().click();
    await page.getByRole('dialog').getByText('destination.ip').waitFor();
    await page.getByRole('dialog').locator('div', { hasText: /^destination\.port/ }).getByRole('button', { name: 'Lọc theo giá trị này' }).click();
    await until('the filter is in the query', () => /and destination\.port : 443/.test(decodeURIComponent(page.url()).replace(/\+/g, ' ')));
    await open(page, `#/search?q=${encodeURIComponent('source.ip : (')}`);
    await see(page, 'Thiếu dấu đóng ngoặc ở ký tự 12');
    await open(page, `#/search?q=${encodeURIComponent('source.ip : 192.0.2.254')}`);
    await see(page, 'Không có bản ghi nào khớp');
    await see(page, 'Chỉ đúng trong phạm vi đã dò nêu ở trên.');
  }),
  'a hunt gives coverage and rows, becomes a record, and a signed record stands': (t) => visit(t, { path: '#/search/hunts/new' }, async ({ page, state }) => {
    await settled(page);
    state.sessions.forEach((s) => { s.person = { ...s.person, permissions: [...s.person.permissions, 'report.sign'] }; });
    await page.reload();
    await settled(page);
    await page.fill('[name=purpose]', 'Máy của Sở còn nhận lệnh từ mạng Rbot');
    await page.getByLabel(/^botnet/).check();
    await page.getByRole('button', { name: 'Dò ngược dữ liệu cũ' }).click();
    await see(page, /Đã dò 107\.248 bản ghi/);
    await page.getByRole('cell', { name: '203.0.113.90' }).waitFor();
    await page.fill('[name=title]', 'Rà soát Rbot tháng 2');
    await page.fill('[name=conclusion]', 'Hai máy còn liên lạc; đã giao đơn vị bóc gỡ.');
    await page.getByRole('button', { name: 'Lập hồ sơ' }).click();
    await page.getByRole('heading', { name: 'Rà soát Rbot tháng 2', level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Ký hồ sơ' }).click();
    await see(page, /Nguyễn Thị Trực, 15\/02\/2026 15:30/);
    assert.equal(await page.getByRole('button', { name: 'Lưu' }).count(), 0);
  }),
  'a list is looked at before anything changes, then published': (t) => visit(t, { path: '#/lists' }, async ({ page, state }) => {
    await settled(page);
    await see(page, '468.796');
    await page.getByLabel('Địa chỉ IP', { exact: true }).fill('203.0.113.17');
    await page.getByRole('button', { name: 'Kiểm tra' }).click();
    await see(page, /Có trong botnet, bản 3/);
    await page.getByRole('link', { name: 'Nhập danh sách' }).click();
    await page.fill('[name=name]', 'botnet');
    await page.setInputFiles('#file', { name: 'thang-2.csv', mimeType: 'text/csv', buffer: Buffer.from('ip\n203.0.113.17\n') });
    await page.getByRole('button', { name: 'Xem trước' }).click();
    await page.getByRole('cell', { name: '<script>alert(1)</script>' }).waitFor();
    await see(page, /không phải địa chỉ: 2/);
    assert.ok(!state.calls.some((c) => c === 'POST /lists/botnet/versions'), 'a preview publishes nothing');
    await page.getByRole('button', { name: /Công bố 468\.602 mục/ }).click();
    await page.getByRole('heading', { name: 'botnet', level: 1 }).waitFor();
    await page.getByRole('navigation', { name: 'botnet' }).getByRole('link', { name: 'Khác nhau' }).click();
    await see(page, '12.004');
  }),
  'units stand as a tree in Vietnamese order, with their past, and are changed with care': (t) => visit(t, { path: '#/units' }, async ({ page, state }) => {
    await settled(page);
    assert.deepEqual(await texts(page.locator('.tree .tree .node > a:first-of-type')), ['Phường Ân Thi', 'Sở Khoa học và Công nghệ', 'Sở Y tế', 'UBND xã Đình Bảng', 'UBND xã Đông Hòa']);
    await page.getByRole('searchbox', { name: 'Tìm', exact: true }).fill('dong hoa');
    await until('found without diacritics', async () => (await texts(page.locator('.node > a:first-of-type'))).join() === 'UBND xã Đông Hòa');
    await open(page, '#/units/2');
    await see(page, 'Sở Thông tin và Truyền thông');
    await see(page, '0912 000 111');
    await page.getByRole('button', { name: 'Sửa' }).click();
    const unit = state.units.find((u) => u.id === 2);
    Object.assign(unit, { short_name: 'Sở KHCN', version: unit.version + 1 });
    await page.fill('[name=short_name]', 'KH&CN');
    await page.getByRole('button', { name: 'Lưu', exact: true }).click();
    await see(page, /Hiện nay là: Sở Khoa học và Công nghệ \(Sở KHCN\)/);
    assert.equal(unit.short_name, 'Sở KHCN');
    await page.getByRole('button', { name: 'Vẫn đổi theo ý tôi' }).click();
    await until('changed on purpose', () => unit.short_name === 'KH&CN');
    await open(page, '#/units/names');
    await page.getByRole('button', { name: 'UBND xã Đông Hòa' }).click();
    await until('the name is gone from the queue', async () => (await page.locator('.match').count()) === 1);
  }),
  'an import of units is tried first and accounts for every row': (t) => visit(t, { path: '#/units/import' }, async ({ page, state }) => {
    await settled(page);
    await page.setInputFiles('#file', { name: 'don-vi.csv', mimeType: 'text/csv', buffer: Buffer.from('ma;ten\n') });
    await page.getByRole('button', { name: 'Xem trước' }).click();
    await see(page, 'Không có đơn vị cấp trên này');
    await see(page, 'Chưa có gì thay đổi.');
    await page.getByRole('button', { name: 'Nhập', exact: true }).click();
    await see(page, 'Đã nhập 129 dòng');
    assert.equal(state.calls.filter((c) => c === 'POST /units/import').length, 2);
  }),
  'a user is added with a password that is shown once, and a wrong form says where': (t) => visit(t, { path: '#/users' }, async ({ page, state }) => {
    await settled(page);
    await page.getByRole('button', { name: 'Thêm người dùng' }).click();
    await page.fill('dialog [name=name]', 'Ngô Thị Ẩn');
    await page.fill('dialog [name=login]', 'truc');
    await page.locator('dialog').getByRole('button', { name: 'Thêm người dùng' }).click();
    await page.locator('dialog .summary').getByText('Tên đăng nhập này đã có').waitFor();
    assert.equal(await page.getAttribute('dialog [name=login]', 'aria-invalid'), 'true');
    await page.fill('dialog [name=login]', 'an.ngo');
    await page.locator('dialog').getByRole('button', { name: 'Thêm người dùng' }).click();
    await page.locator('dialog').getByText('cam-4821-nui-xanh').waitFor();
    await page.getByRole('link', { name: 'Gán vai trò' }).click();
    await page.getByRole('heading', { name: 'Ngô Thị Ẩn', level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Gán vai trò' }).click();
    await page.selectOption('dialog [name=role]', 'analyst');
    await page.locator('dialog').getByRole('button', { name: 'Gán vai trò' }).click();
    await page.getByRole('cell', { name: 'Chuyên viên phân tích' }).waitFor();
    assert.equal(state.bindings.at(-1).role, 'analyst');
  }),
  'a grant has a person, a unit, rights, a reason and an end, and is withdrawn': (t) => visit(t, { path: '#/users/grants' }, async ({ page, state }) => {
    await settled(page);
    await page.getByRole('button', { name: 'Cấp quyền' }).click();
    await page.selectOption('dialog [name=person]', '9');
    await page.selectOption('dialog [name=targets]', '6');
    await page.getByLabel('tìm kiếm, săn lùng').check();
    await page.fill('dialog [name=to]', '01/03/2026 17:00');
    await page.fill('dialog [name=reason]', 'Hợp đồng 12/2026');
    await page.locator('dialog').getByRole('button', { name: 'Cấp quyền' }).click();
    await page.getByRole('cell', { name: 'UBND xã Đình Bảng' }).waitFor();
    assert.deepEqual([state.grants[0].to, state.grants[0].targets[0].unit, state.grants[0].permissions], ['2026-03-01T10:00:00Z', 6, ['event.search']]);
    await page.getByRole('row', { name: /Hợp đồng 12\/2026/ }).getByRole('button', { name: 'Thu hồi' }).click();
    await page.getByRole('row', { name: /Hợp đồng 12\/2026/ }).getByText('đã thu hồi').waitFor();
  }),
  'the trail is read, opened and verified against a printed head': (t) => visit(t, { path: '#/audit' }, async ({ page }) => {
    await settled(page);
    await page.getByRole('button', { name: 'Cấp quyền' }).first().click();
    await page.getByRole('dialog').getByText('Hỗ trợ xử lý sự cố').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Kiểm tra toàn bộ' }).click();
    await see(page, 'Chuỗi 5.000 mục nguyên vẹn.');
  }),
  'a unit sees what waits for it on a telephone and answers': (t) => visit(t, { as: 'xa', width: 390, height: 844 }, async ({ page, state }) => {
    await settled(page);
    await page.locator('.task').first().click();
    await page.getByRole('heading', { name: 'Trả lời', level: 2 }).waitFor();
    await page.getByRole('button', { name: 'Gửi trả lời' }).click();
    await see(page, 'Chọn một câu trả lời');
    await page.getByLabel(/Đã bóc gỡ/).check();
    await page.fill('[name=text]', 'Đã cài lại máy chiều 15/02');
    await page.getByRole('button', { name: 'Gửi trả lời' }).click();
    await see(page, 'Đã gửi trả lời');
    assert.deepEqual(state.answers.map(({ kind, text }) => [kind, text]), [['cleaned', 'Đã cài lại máy chiều 15/02']]);
  }),
  'the wall screen lives on its token alone': (t) => visit(t, { as: null, path: '#/wall?token=man-hinh-truc' }, async ({ page, state }) => {
    await page.getByRole('heading', { name: 'Màn hình trực' }).waitFor();
    await see(page, 'Cảnh báo chưa ai nhận');
    await see(page, 'Chưa quan sát được');
    assert.ok(!state.calls.some((c) => c.includes('/session')), 'no session is asked for');
    assert.equal(await page.getByRole('button', { name: 'Thoát' }).count(), 0);
  }),
  'one\'s own settings: the second factor is set up and a wall token is made': (t) => visit(t, { path: '#/settings' }, async ({ page, state }) => {
    await settled(page);
    await page.fill('[name=password]', 'mot-cau-rat-dai-1');
    await page.getByRole('button', { name: 'Bật xác thực bước hai' }).click();
    await see(page, /JBSW Y3DP/);
    await page.fill('[name=code]', '123456');
    await page.getByRole('button', { name: 'Xác nhận' }).click();
    await see(page, 'khoi-phuc-2');
    await page.getByRole('button', { name: 'Tạo mã truy cập' }).click();
    await page.fill('dialog [name=name]', 'Tivi phòng trực');
    await page.getByLabel('Cho màn hình trực').check();
    await page.locator('dialog').getByRole('button', { name: 'Tạo mã truy cập' }).click();
    await page.locator('dialog').getByText(/#\/wall\?token=man-hinh-truc/).waitFor();
    assert.deepEqual(state.tokens.map((x) => [x.name, x.is_wall]), [['Tivi phòng trực', true]]);
  }),
};
