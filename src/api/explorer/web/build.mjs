// Bundles the explorer into ../assets: one script, one style sheet, both also gzipped, and the notice of what is inside.
//
// The files are committed because building the server must need neither Node nor a network. `--check` builds in memory
// and compares. The gzipped forms are compared unpacked, because their bytes depend on the zlib of the Node that made them.

import { build } from 'esbuild';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { notice } from './notice.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const assets = join(here, '..', 'assets');

// GraphiQL's style sheet carries two typefaces and three icons as data: addresses, 370 kB of its 410. The page's
// content security policy refuses data:, and the typefaces of the reader's own system do as well.
const withoutDataAddresses = {
  name: 'without-data-addresses',
  setup({ onLoad }) {
    onLoad({ filter: /node_modules[\\/]graphiql[\\/]dist[\\/]style\.css$/ }, ({ path }) => ({
      loader: 'css',
      contents: readFileSync(path, 'utf8')
        .replace(/@font-face\s*\{[^}]*\}/g, '')
        .replace(/url\("?data:[^)]*\)/g, 'none'),
    }));
  },
};

const bundle = await build({
  absWorkingDir: here,
  entryPoints: { explorer: 'main.jsx' },
  outdir: assets,
  write: false,
  bundle: true,
  minify: true,
  metafile: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  legalComments: 'none', // notice.mjs keeps every licence in full
  define: { 'process.env.NODE_ENV': '"production"' },
  alias: { 'react-style-singleton': './scroll-lock-style.js' },
  plugins: [withoutDataAddresses],
  logLevel: 'warning',
});

const wanted = new Map();
for (const { path, contents } of bundle.outputFiles) {
  const name = path.slice(assets.length + 1);
  wanted.set(name, Buffer.from(contents));
}
wanted.set('NOTICE.txt', Buffer.from(notice(here, Object.keys(bundle.metafile.inputs))));

const compressed = name => /\.(js|css)$/.test(name);

if (process.argv.includes('--check')) {
  const stale = [...wanted].filter(([name, contents]) => !isFresh(name, contents)).map(([name]) => name);
  if (stale.length > 0) {
    console.error(`stale: ${stale.join(', ')}; run src/graphql/explorer/web/build.sh and commit what changed`);
    process.exit(1);
  }
  console.log('the explorer\'s assets are fresh');
} else {
  mkdirSync(assets, { recursive: true });
  for (const [name, contents] of wanted) {
    writeFileSync(join(assets, name), contents);
    if (compressed(name)) writeFileSync(join(assets, `${name}.gz`), gzipSync(contents, { level: 9 }));
    console.log(`${name}  ${contents.length} bytes`);
  }
}

function isFresh(name, contents) {
  const file = join(assets, name);
  if (!existsSync(file) || !readFileSync(file).equals(contents)) return false;
  if (!compressed(name)) return true;
  const zipped = `${file}.gz`;
  return existsSync(zipped) && gunzipSync(readFileSync(zipped)).equals(contents);
}
