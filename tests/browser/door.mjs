// SPDX-License-Identifier: Apache-2.0
/* door - in and out: password, second factor, first password, sessions that end. */
import { assert, open, see, until, visit } from './tools.mjs';

async function signIn(page, login, password) {
  await page.fill('[name=login]', login);
  await page.fill('[name=password]', password);
  await page.keyboard.press('Enter');
}

export const tests = {
  'a wrong password is told in plain words and the right one opens the overview': (t) => visit(t, { as: null }, async ({ page }) => {
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('name')), 'login', 'the first field has the focus');
    await signIn(page, 'truc', 'sai-mat-khau');
    await see(page, 'Tên đăng nhập hoặc mật khẩu không đúng');
    assert.equal(await page.inputValue('[name=password]'), '', 'a wrong password does not stay on the screen');
    await signIn(page, 'truc', 'mot-cau-rat-dai-1');
    await page.getByRole('heading', { name: 'Tổng quan', level: 1 }).waitFor();
    await page.getByRole('button', { name: /Nguyễn Thị Trực/ }).click();
    await see(page, 'Quản trị hệ thống · Tỉnh Mẫu');
    await page.getByRole('button', { name: 'Đăng xuất' }).click();
    await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  }),
  'the second factor is asked for, refused, and replaced by a recovery code': (t) => visit(t, { as: null }, async ({ page }) => {
    await signIn(page, 'haibuoc', 'mot-cau-rat-dai-2');
    await page.getByRole('heading', { name: 'Xác thực bước hai' }).waitFor();
    await page.fill('[name=code]', '000000');
    await page.keyboard.press('Enter');
    await see(page, 'Mã không đúng hoặc đã hết hiệu lực');
    await page.getByRole('button', { name: 'Dùng mã khôi phục' }).click();
    await page.fill('[name=recovery_code]', 'khoi-phuc-1');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Tổng quan', level: 1 }).waitFor();
  }),
  'who was given a password must choose his own before anything else': (t) => visit(t, { as: null }, async ({ page, state }) => {
    await signIn(page, 'moi', 'cap-lan-dau-123');
    await page.getByRole('heading', { name: 'Đặt mật khẩu của bạn' }).waitFor();
    await page.fill('[name=before]', 'cap-lan-dau-123');
    await page.fill('[name=after]', 'ngan');
    await page.fill('[name=again]', 'khac');
    await page.getByRole('button', { name: 'Đổi mật khẩu' }).click();
    await see(page, 'Mật khẩu mới cần ít nhất 12 ký tự');
    await page.getByRole('button', { name: 'Hai lần nhập mật khẩu mới không giống nhau' }).click();
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('name')), 'again', 'a line of the summary leads to its field');
    assert.ok(!state.calls.some((c) => c.includes('/settings/password')), 'what is plainly wrong is not sent');
    await page.fill('[name=after]', 'con đường làng mùa lúa');
    await page.fill('[name=again]', 'con đường làng mùa lúa');
    await page.getByRole('button', { name: 'Đổi mật khẩu' }).click();
    await page.getByRole('heading', { name: 'Tổng quan', level: 1 }).waitFor();
  }),
  'a session that ends elsewhere ends here at once': (t) => visit(t, {}, async ({ page, office, state }) => {
    await until('the stream of events stands', () => state.streams.size === 1);
    state.sessions.clear();
    office.say('session', { ended: true });
    await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  }),
  'pages show only what the person may open, and say so on the others': (t) => visit(t, { as: 'xa' }, async ({ page }) => {
    await page.getByRole('heading', { name: 'Việc của đơn vị tôi', level: 1 }).waitFor();
    const menu = await page.locator('#menu').innerText();
    assert.ok(!/Nhật ký|Danh sách|Người dùng|Tìm kiếm/.test(menu), menu);
    await open(page, '#/audit');
    await see(page, 'Tài khoản này không có quyền xem phần này');
    await open(page, '#/khong-co');
    await see(page, 'Không có trang này');
    await open(page, '#/alerts/999999');
    await see(page, 'Không tìm thấy, hoặc không thuộc phạm vi được xem');
  }),
};
