// Bundles src/index.ts, with its styles as text, into the one ES module that TensorBoard loads.
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const OUT = fileURLToPath(new URL('../tensorboard_gradhealth/static/index.js', import.meta.url));
const MAX_GZIP_BYTES = 100_000;

const options = {
  absWorkingDir: dirname(fileURLToPath(import.meta.url)),
  entryPoints: ['src/index.ts'],
  outfile: OUT,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.css': 'text' },
  plugins: [{ name: 'minified-css', setup: minifyCss }],
  legalComments: 'inline',
  logLevel: 'info',
};

/** A style sheet that is imported as text is not minified by esbuild itself. */
function minifyCss(build) {
  build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
    const source = readFileSync(path, 'utf8');
    const { code } = await esbuild.transform(source, { loader: 'css', minify: true });
    return { contents: code, loader: 'text' };
  });
}

mkdirSync(dirname(OUT), { recursive: true });
if (process.argv.includes('--watch')) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
  const size = gzipSync(readFileSync(OUT)).length;
  console.log(`${(size / 1000).toFixed(1)} kB gzipped`);
  if (size > MAX_GZIP_BYTES) {
    throw new Error(`The bundle has ${size} bytes gzipped; the limit is ${MAX_GZIP_BYTES}.`);
  }
}
