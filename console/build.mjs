// SPDX-License-Identifier: Apache-2.0
/*
 * build.mjs [OUT] [--watch] - the console as static files in OUT (default: ../build/console).
 *
 * In:     src/, content/i18n/console.{vi,en}.yaml, the tables of field names in src/format of the program.
 * Out:    index.html, licences.txt, assets/NAME-HASH.{js,css,svg} and a .gz beside each; nothing of an earlier build stays.
 * Limits: fails when the first view is over 200 kB compressed, a message is missing or something would be loaded from elsewhere.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '..');
const out = resolve(process.argv[2] ?? join(root, 'build', 'console'));
const FIRST_VIEW_BYTES_MAX = 200_000;

/* The catalogues as tools/console_messages.py checked them: one reader of the format, not two. */
function catalogues() {
  const text = execFileSync('python3', [join(root, 'tools', 'console_messages.py'), '--json'], {
    encoding: 'utf8',
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(text);
}

/* Names, aliases and types of fields from the X-macros that the program itself is made of. */
function fields() {
  const found = new Map();
  const flow = readFileSync(join(root, 'src/format/flow.h'), 'utf8');
  const add = (name, alias, type) => found.has(name) || found.set(name, { name, alias, type });
  for (const table of ['FLOW_ADDRESSES', 'FLOW_NUMBERS', 'FLOW_TEXTS']) {
    const from = flow.indexOf(`#define ${table}(X)`);
    const body = flow.slice(from, flow.indexOf('\n\n', from));
    for (const line of body.split('\n').filter((l) => l.includes('X(') && !l.startsWith('#define'))) {
      const words = [...line.matchAll(/"([^"]*)"/g)].map((m) => m[1]);
      const type =
        table === 'FLOW_ADDRESSES'
          ? 'ip'
          : /int64_t/.test(line) && /_us/.test(line)
            ? 'date'
            : table === 'FLOW_NUMBERS'
              ? 'long'
              : 'keyword';
      if (words.length === 2) add(words[0], words[1], type);
    }
  }
  const events = readFileSync(join(root, 'src/format/event_fields.h'), 'utf8');
  for (const m of events.matchAll(/X\([A-Z0-9_]+, "([^"]+)", ([A-Z]+)\)/g)) add(m[1], '', m[2].toLowerCase());
  for (const name of [
    'network.transport',
    'network.bytes',
    'network.packets',
    'related.ip',
    'related.hosts',
    'related.user',
    'related.hash',
  ]) {
    add(name, '', name.endsWith('ip') ? 'ip' : name.startsWith('network.') && name !== 'network.transport' ? 'long' : 'keyword');
  }
  if (found.size < 100) throw new Error(`only ${found.size} names of fields were found in src/format: have their tables moved?`);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function virtual() {
  const messages = catalogues();
  return {
    name: 'virtual',
    setup(build) {
      build.onResolve({ filter: /^virtual:/ }, (args) => ({ path: args.path, namespace: 'virtual' }));
      build.onLoad({ filter: /.*/, namespace: 'virtual' }, (args) => {
        const language = args.path.match(/^virtual:messages\/(vi|en)$/)?.[1];
        if (language) return { contents: JSON.stringify(messages[language]), loader: 'json' };
        return { contents: JSON.stringify(fields()), loader: 'json' };
      });
    },
  };
}

function gzipped(path) {
  const bytes = gzipSync(readFileSync(path), { level: 9 });
  writeFileSync(`${path}.gz`, bytes);
  return bytes.length;
}

/* What the browser fetches before anything is clicked: the entry, its style, the Vietnamese words, the overview, and all they import. */
function firstView(outputs, entry) {
  const seen = new Set();
  const opened = /^(virtual:virtual:messages\/vi|src\/overview\/)/;
  const walk = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const i of outputs[name].imports) if (i.kind === 'import-statement' && outputs[i.path]) walk(i.path);
    if (outputs[name].cssBundle) walk(outputs[name].cssBundle);
  };
  walk(entry);
  for (const name of Object.keys(outputs)) if (opened.test(outputs[name].entryPoint ?? '')) walk(name);
  return [...seen];
}

async function build() {
  const fresh = `${out}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const result = await esbuild.build({
    absWorkingDir: here,
    entryPoints: { console: 'src/main.tsx' },
    outdir: join(fresh, 'assets'),
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2020',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    charset: 'utf8',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    metafile: true,
    logLevel: 'warning',
    logLimit: 10,
    plugins: [virtual()],
  });
  const outputs = result.metafile.outputs;
  const entry = Object.keys(outputs).find((k) => outputs[k].entryPoint === 'src/main.tsx');
  const asset = (k) => relative(fresh, resolve(here, k));
  const icon = readFileSync(join(here, 'icon.svg'));
  const iconName = `assets/icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8)}.svg`;
  writeFileSync(join(fresh, iconName), icon);
  const html = readFileSync(join(here, 'index.html'), 'utf8')
    .replace('@STYLE@', `/${asset(outputs[entry].cssBundle)}`)
    .replace('@SCRIPT@', `/${asset(entry)}`)
    .replace('@ICON@', `/${iconName}`);
  if (/https?:\/\/|<style|<script>|\son[a-z]+=|\sstyle=/.test(html)) throw new Error('index.html: something inline or from elsewhere');
  writeFileSync(join(fresh, 'index.html'), html);

  /* MIT: their notice goes where they go */
  const { dependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
  const licences = Object.keys(dependencies).map(
    (d) => `${d}\n\n${readFileSync(join(here, 'node_modules', d, 'LICENSE'), 'utf8').trim()}\n`,
  );
  writeFileSync(join(fresh, 'licences.txt'), licences.join('\n----\n\n'));

  let bytes = gzipped(join(fresh, 'index.html'));
  const first = new Set(firstView(outputs, entry).map(asset));
  for (const name of readdirSync(join(fresh, 'assets'))) {
    const path = join(fresh, 'assets', name);
    const size = gzipped(path);
    if (first.has(`assets/${name}`)) bytes += size;
  }
  if (bytes > FIRST_VIEW_BYTES_MAX) throw new Error(`the first view is ${bytes} bytes compressed, over ${FIRST_VIEW_BYTES_MAX}`);
  rmSync(out, { recursive: true, force: true });
  renameSync(fresh, out);
  const all = readdirSync(join(out, 'assets'))
    .filter((n) => n.endsWith('.gz'))
    .reduce((sum, n) => sum + statSync(join(out, 'assets', n)).size, 0);
  console.log(`console: first view ${(bytes / 1000).toFixed(1)} kB compressed, everything ${(all / 1000).toFixed(1)} kB`);
}

try {
  await build();
} catch (e) {
  if (!e.errors) console.error(`console: ${e.stderr || e.message}`); // esbuild has said its own
  process.exitCode = 1;
}
