// SPDX-License-Identifier: Apache-2.0
/* text - numbers, times and order of the console's own code, without a browser: bundled once and called. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { assert } from './tools.mjs';

async function load(t) {
  const require = createRequire(join(t.consoleDir, 'package.json'));
  const dir = mkdtempSync(join(tmpdir(), 'console-text-'));
  const out = join(dir, 'text.mjs');
  const entry = ["export * from './text/format';", "export * from './text/collate';", "export { language } from './text/catalogue';", "export { offersAt } from './search/input';", "export { parseRoute, fromServer } from './app/router';"].join('\n');
  try {
    await require('esbuild').build({
      stdin: { contents: entry, resolveDir: join(t.consoleDir, 'src'), loader: 'ts' }, bundle: true, format: 'esm', outfile: out, logLevel: 'error', jsx: 'automatic', jsxImportSource: 'preact', platform: 'node',
      banner: { js: "globalThis.location ??= { hash: '' }; globalThis.addEventListener ??= () => {};" },
      plugins: [{
        name: 'virtual',
        setup(b) {
          b.onResolve({ filter: /^virtual:/ }, (a) => ({ path: a.path, namespace: 'v' }));
          b.onLoad({ filter: /fields/, namespace: 'v' }, () => ({ contents: JSON.stringify([{ name: 'destination.ip', alias: 'dst', type: 'ip' }, { name: 'source.ip', alias: 'src', type: 'ip' }, { name: 'source.port', alias: 'sport', type: 'long' }]), loader: 'json' }));
          b.onLoad({ filter: /messages/, namespace: 'v' }, () => ({ contents: '{}', loader: 'json' }));
        },
      }],
    });
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
    return await import(pathToFileURL(out).href);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export const tests = {
  'numbers, times and shares are written as Vietnamese officials write them': async (t) => {
    const x = await load(t);
    const table = [
      [x.formatNumber(1052479), '1.052.479'], [x.formatNumber(0), '0'], [x.formatNumber(999), '999'], [x.formatNumber(1000), '1.000'], [x.formatNumber(-12345.678), '−12.345,67'], [x.formatNumber(null), '–'],
      [x.formatTime('2026-02-15T17:30:00Z'), '16/02/2026 00:30'], [x.formatDay('2025-12-31T17:00:00Z'), '01/01/2026'], [x.formatTime('không phải giờ'), '–'], [x.formatTime(null), '–'],
      [x.parseTime('15/02/2026 15:30'), '2026-02-15T08:30:00Z'], [x.parseTime('1/7/2025'), '2025-06-30T17:00:00Z'], [x.parseTime('31/02/2026'), null], [x.parseTime('15/02/2026 24:00'), null], [x.parseTime('2026-02-15'), null],
      [x.formatPercent(1, 3), '33,3 %'], [x.formatPercent(99999, 100000), '99,9 %'], [x.formatPercent(5, 5), '100 %'], [x.formatPercent(1, 1e9), '0,1 %'], [x.formatPercent(0, 7), '0 %'], [x.formatPercent(1, 0), '–'],
      [x.formatBytes(999), '999 B'], [x.formatBytes(46_693_379), '46,7 MB'],
    ];
    for (const [got, expected] of table) assert.equal(got, expected);
    x.language.set('en');
    assert.equal(x.formatNumber(1052479.5), '1,052,479.5');
  },
  'names stand in the order of Vietnamese dictionaries': async (t) => {
    const { compareVietnamese } = await load(t);
    const expected = ['An Khê', 'Ân Thi', 'Bắc Ninh', 'Cà Mau', 'Cần Thơ', 'Da Kao', 'Đà Nẵng', 'Điện Biên', 'Hạ Long', 'Hà Nội', 'Ô Môn', 'Sơn La', 'Tổ 2', 'Tổ 10', 'Uông Bí', 'ưu tiên', 'Vinh'];
    assert.deepEqual([...expected].reverse().sort(compareVietnamese), expected);
    assert.deepEqual([...expected].reverse().sort(new Intl.Collator('vi', { numeric: true }).compare), expected, 'as the Unicode collation for Vietnamese has it');
    assert.deepEqual(['ma', 'má', 'mà', 'mả', 'mã', 'mạ'].sort(compareVietnamese), ['ma', 'mà', 'mả', 'mã', 'má', 'mạ']);
  },
  'words are found with and without diacritics': async (t) => {
    const { matches } = await load(t);
    assert.ok(matches('UBND xã Đông Hòa', 'dong hoa') && matches('UBND xã Đông Hoà', 'ĐÔNG') && matches('Sở Y tế', 'so y'));
    assert.ok(!matches('Sở Y tế', 'đông'));
  },
  'names of fields are offered where a name may stand and nowhere else': async (t) => {
    const { offersAt } = await load(t);
    const names = (text) => offersAt(text, text.length).map((o) => o.text);
    assert.deepEqual(names('src'), ['source.ip : ']);
    assert.deepEqual(names('source.ip : 203.0.113.1 and des'), ['destination.ip : ']);
    assert.deepEqual(names('(sou'), ['source.ip : ', 'source.port : ']);
    assert.deepEqual(names('source.ip : sou'), []);
    assert.deepEqual(names('"failed sou'), []);
    assert.deepEqual(names('* | to'), ['top ']);
    assert.deepEqual(names('* | count by sou'), ['source.ip', 'source.port']);
  },
  'addresses of pages come apart and hrefs of the server lead nowhere else': async (t) => {
    const { parseRoute, fromServer } = await load(t);
    const r = parseRoute('#/lists/a%2Fb?tab=diff&from=2');
    assert.deepEqual([r.path, r.query.get('tab'), r.query.get('from')], [['lists', 'a/b'], 'diff', '2']);
    assert.deepEqual(parseRoute('#/%E0%A4%A').path, ['%E0%A4%A']);
    assert.equal(fromServer('/api/v1/alerts?state=new'), '#/alerts?state=new');
    assert.equal(fromServer('/machines'), '#/machines');
    for (const bad of ['//example.net/x', 'https://example.net', 'javascript:alert(1)', null, '']) assert.equal(fromServer(bad), null);
  },
};
