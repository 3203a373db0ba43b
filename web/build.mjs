// Bundles src/ into static/: content-hashed names, fonts as files of their own, and .br and .gz beside whatever they shrink.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import esbuild from 'esbuild';

const HERE = import.meta.dirname;
const TARGET = path.join(HERE, 'static');
const WORK = path.join(HERE, 'node_modules', '.static'); // renamed when whole: a broken build never looks like a finished one
const WORKERS = {
  editorWorkerService: 'monaco-editor/esm/vs/editor/editor.worker.js',
  json: 'monaco-editor/esm/vs/language/json/json.worker.js',
  graphql: 'monaco-graphql/esm/graphql.worker.js',
};
const COMMON = {
  absWorkingDir: HERE,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  outdir: WORK,
  metafile: true,
  logLevel: 'warning',
  legalComments: 'linked',
  define: { 'process.env.NODE_ENV': '"production"' },
};
const COMPRESSIBLE = /\.(js|css|ttf|svg)$/; // woff and woff2 are compressed already

async function buildWorkers() {
  const built = await esbuild.build({
    ...COMMON,
    format: 'iife',
    entryPoints: Object.entries(WORKERS).map(([label, file]) => ({ in: file, out: `${label}.worker` })),
    entryNames: '[name]-[hash]',
  });
  return Object.fromEntries(
    Object.entries(built.metafile.outputs)
      .filter(([, { entryPoint }]) => entryPoint)
      .map(([file, { entryPoint }]) => [labelOf(entryPoint), `./${path.basename(file)}`]),
  );
}

const labelOf = (entryPoint) => Object.keys(WORKERS).find((label) => entryPoint.endsWith(WORKERS[label]));

/** GraphiQL's style sheet carries its fonts inline, four fifths of its size, and the page waits for style sheets. */
const fontsAsFiles = {
  name: 'fonts-as-files',
  setup(build) {
    build.onLoad({ filter: /graphiql\/dist\/style\.css$/ }, async ({ path: file }) => {
      const text = await readFile(file, 'utf8');
      const writes = [];
      const contents = text.replaceAll(/url\("?data:font\/(\w+);base64,([A-Za-z0-9+/=]+)"?\)/g, (_, type, data) => {
        const bytes = Buffer.from(data, 'base64');
        const name = `font-${createHash('sha256').update(bytes).digest('hex').slice(0, 10)}.${type}`;
        writes.push(writeFile(path.join(WORK, name), bytes));
        return `url("./${name}")`;
      });
      await Promise.all(writes);
      return { contents, loader: 'css' };
    });
    build.onResolve({ filter: /\/font-[0-9a-f]+\.\w+$/ }, ({ path: name }) => ({ path: name, external: true }));
  },
};

const outputOf = (source, { metafile }) =>
  Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === source);

async function buildScript(workers) {
  return outputOf(
    'src/main.js',
    await esbuild.build({
      ...COMMON,
      entryPoints: { main: 'src/main.js' },
      entryNames: '[name]-[hash]',
      chunkNames: 'chunk-[hash]',
      splitting: true,
      // GraphiQL asks for these by their old names, which are CommonJS: imported later, such modules have no named exports.
      alias: { 'prettier/parser-graphql': 'prettier/plugins/graphql', 'prettier/parser-babel': 'prettier/plugins/babel' },
      loader: { '.css': 'empty' }, // Monaco's styles, all of them in GraphiQL's style sheet too
      define: { ...COMMON.define, PARLEY_WORKERS: JSON.stringify(workers) },
    }),
  );
}

async function buildStyle() {
  const entryPoints = { page: 'src/bundle.css' };
  const options = { ...COMMON, entryPoints, entryNames: '[name]-[hash]', plugins: [fontsAsFiles] };
  return outputOf(entryPoints.page, await esbuild.build(options));
}

/** The page's own style sheet, script, and the chunks that the script imports at once. */
function assetTags([script, { imports }], [style]) {
  const preloads = imports.filter(({ kind }) => kind === 'import-statement').map((item) => item.path);
  const url = (file) => `static/${path.basename(file)}`;
  return [
    `<link rel="stylesheet" href="${url(style)}" />`,
    ...preloads.map((file) => `<link rel="modulepreload" href="${url(file)}" />`),
    `<script type="module" src="${url(script)}"></script>`,
  ].join('\n    ');
}

async function compress(file) {
  const bytes = await readFile(file);
  const small = await promisify(gzip)(bytes, { level: 9 });
  if (small.length > bytes.length * 0.9) return;
  const smaller = await promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  await Promise.all([writeFile(`${file}.gz`, small), writeFile(`${file}.br`, smaller)]);
}

await rm(WORK, { recursive: true, force: true });
await mkdir(WORK);
const tags = assetTags(await buildScript(await buildWorkers()), await buildStyle());
const names = await readdir(WORK);
await Promise.all(names.filter((name) => COMPRESSIBLE.test(name)).map((name) => compress(path.join(WORK, name))));
const page = await readFile(path.join(HERE, 'index.html'), 'utf8');
await writeFile(path.join(WORK, 'index.html'), page.replace('{{assets}}', tags).replace('{{loading}}', 'Loading Parley…'));
await rm(TARGET, { recursive: true, force: true });
await rename(WORK, TARGET);
console.log(`web/static: ${names.length} files`);
